"use client";

import { X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Toast, ToastAction, Toasts as ToastStore } from "@/lib/toasts";
import { useStore } from "./hooks";
import styles from "./Toasts.module.css";

/** Short news, over everything, full screen included: a popover is in the top layer. */
export function Toasts({ toasts }: { toasts: ToastStore }) {
  const shown = useStore(toasts.view);
  const layer = useRef<HTMLDivElement>(null);
  const newest = shown.at(-1)?.id;

  useEffect(() => {
    const element = layer.current;
    if (!element || !("showPopover" in element)) return;
    // Shown anew for each, or what went full screen in between would be above it.
    if (element.matches(":popover-open")) element.hidePopover();
    if (newest !== undefined) element.showPopover();
  }, [newest]);

  return (
    <div ref={layer} className={styles.layer} popover="manual" role="status" aria-live="polite" aria-label="News" tabIndex={-1}>
      {shown.map((toast) => (
        <Card key={toast.id} toast={toast} onDone={toasts.dismiss} />
      ))}
    </div>
  );
}

function Card({ toast, onDone }: { toast: Toast; onDone(id: number): void }) {
  const [held, setHeld] = useState(false);
  const { id, lastsMs } = toast;
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => onDone(id), lastsMs);
    return () => clearTimeout(timer);
  }, [held, id, lastsMs, onDone]);
  return (
    <div
      className={styles.toast}
      data-tone={toast.tone}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {toast.image && <img className={styles.image} src={toast.image} alt="" width={96} height={54} />}
      <div className={styles.words}>
        <p className={styles.title}>{toast.title}</p>
        {toast.text && <p className={styles.text}>{toast.text}</p>}
        {toast.actions && (
          <p className={styles.actions}>
            {toast.actions.map((action) => (
              <Action key={action.label} action={action} onRun={() => onDone(id)} />
            ))}
          </p>
        )}
      </div>
      <button type="button" className={styles.close} onClick={() => onDone(id)} aria-label="Dismiss">
        <X size={16} aria-hidden />
      </button>
    </div>
  );
}

function Action({ action, onRun }: { action: ToastAction; onRun(): void }) {
  if (action.href !== undefined) {
    const where = action.download === undefined ? { target: "_blank", rel: "noreferrer" } : { download: action.download };
    return (
      <a className={styles.action} href={action.href} {...where}>
        {action.label}
      </a>
    );
  }
  return (
    <button
      type="button"
      className={styles.action}
      onClick={() => {
        action.run?.();
        onRun();
      }}
    >
      {action.label}
    </button>
  );
}
