"use client";

import { X } from "lucide-react";
import { useEffect, useRef } from "react";
import styles from "./HelpDialog.module.css";
import { KEYS } from "./keys";

interface Props {
  keys: boolean;
  onKeys(on: boolean): void;
  onClose(): void;
}

/** Every key, and the switch for all of them. */
export function HelpDialog({ keys, onKeys, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  return (
    // A press on the backdrop has the dialog itself as its target: what is inside covers all of it.
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && dialog.current?.close()}
    >
      <div className={styles.body}>
        <header className={styles.head}>
          <h2 id="help-title">Keys</h2>
          <button type="button" className={styles.close} onClick={() => dialog.current?.close()} aria-label="Close">
            <X size={18} aria-hidden />
          </button>
        </header>
        <dl className={styles.keys} data-off={!keys}>
          {KEYS.map(({ keys: pressed, does }) => (
            <div key={does}>
              <dt>
                {pressed.map((key, i) => (
                  <span key={key}>
                    {i > 0 && <span className={styles.then}>then</span>}
                    <kbd>{key}</kbd>
                  </span>
                ))}
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <label className={styles.switch}>
          <input type="checkbox" role="switch" checked={keys} onChange={(event) => onKeys(event.target.checked)} />
          <span>Use these keys</span>
        </label>
      </div>
    </dialog>
  );
}
