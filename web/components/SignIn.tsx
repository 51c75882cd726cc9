"use client";

import { type FormEvent, useEffect, useRef, useState } from "react";
import type { Access } from "@/lib/access";
import { useStore } from "./hooks";
import { Mark } from "./Mark";
import styles from "./SignIn.module.css";

/** Over everything while the server asks for a token. What waits for it goes on by itself afterwards. */
export function SignIn({ access }: { access: Access }) {
  const view = useStore(access.view);
  return view.state === "out" ? <Form access={access} busy={view.busy} problem={view.problem} /> : null;
}

function Form({ access, busy, problem }: { access: Access; busy: boolean; problem: string | null }) {
  const [token, setToken] = useState("");
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    // At first, and again after a refusal: the field is then to be corrected.
    if (!busy) field.current?.focus();
  }, [busy]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && token.trim() !== "") void access.signIn(token);
  };
  return (
    <div className={styles.cover}>
      <div className={styles.card} role="dialog" aria-modal="true" aria-labelledby="sign-in-title" aria-describedby="sign-in-text">
        <Mark size={32} />
        <h2 id="sign-in-title">Sign in</h2>
        <p id="sign-in-text" className={styles.text}>
          This server asks for a token. Its terminal shows one at the first start, and <code className="mono">vedette token create</code> makes others.
        </p>
        <form onSubmit={submit}>
          <label className={styles.label} htmlFor="token">
            Token
          </label>
          <input
            ref={field}
            id="token"
            className={`${styles.field} mono`}
            type="password"
            autoComplete="current-password"
            spellCheck={false}
            value={token}
            aria-invalid={problem !== null}
            aria-describedby={problem !== null ? "token-problem" : undefined}
            onChange={(event) => setToken(event.target.value)}
          />
          <p id="token-problem" className={styles.problem} role="alert">
            {problem}
          </p>
          <button type="submit" className={styles.submit} disabled={busy || token.trim() === ""}>
            {busy ? "Signing in…" : "Sign in"}
          </button>
        </form>
      </div>
    </div>
  );
}
