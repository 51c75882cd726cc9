"use client";

import { Keyboard } from "lucide-react";
import { isActive } from "@/lib/phase";
import type { HealthWatch } from "@/lib/health";
import type { LiveSession } from "@/lib/session";
import { useNow, useStore } from "./hooks";
import { Mark } from "./Mark";
import { ModelChip } from "./ModelChip";
import { StatePill } from "./StatePill";
import styles from "./TopBar.module.css";
import { stateAge, stateWords } from "./words";

/** Source, state in words with its age, and the model that runs. */
export function TopBar({ session, health, onHelp }: { session: LiveSession; health: HealthWatch; onHelp(): void }) {
  const phase = useStore(session.phase);
  const plan = useStore(session.plan);
  const name = useStore(session.name);
  const now = useNow(phase.name !== "idle");
  const { text, tone } = stateWords(phase, plan?.choice.kind === "watch");
  const age = stateAge(phase, Math.max(now, phase.name === "idle" ? 0 : phase.since));

  return (
    <header className={styles.bar}>
      <span className={styles.brand}>
        <Mark size={24} />
      </span>
      <h1 className={styles.name}>{isActive(phase) && name ? name : "Live"}</h1>
      <StatePill tone={tone} text={text} age={age} />
      <p className="visuallyHidden" role="status">
        {text}
      </p>
      <span className={styles.space} />
      <ModelChip health={health} />
      <button type="button" className={styles.help} onClick={onHelp} title="Keys (?)" aria-label="Keyboard shortcuts">
        <Keyboard size={18} aria-hidden />
      </button>
    </header>
  );
}
