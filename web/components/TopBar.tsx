"use client";

import { isActive } from "@/lib/phase";
import type { HealthWatch } from "@/lib/health";
import type { LiveSession } from "@/lib/session";
import { useNow, useStore } from "./hooks";
import { Mark } from "./Mark";
import { ModelChip } from "./ModelChip";
import { ThemeToggle } from "./ThemeToggle";
import styles from "./TopBar.module.css";
import { stateAge, stateWords } from "./words";

/** Source, state in words with its age, and the model that runs. */
export function TopBar({ session, health }: { session: LiveSession; health: HealthWatch }) {
  const phase = useStore(session.phase);
  const { cameraName } = useStore(session.media);
  const now = useNow(phase.name !== "idle");
  const { text, tone } = stateWords(phase);
  const age = stateAge(phase, Math.max(now, phase.name === "idle" ? 0 : phase.since));

  return (
    <header className={styles.bar} id="main">
      <span className={styles.brand}>
        <Mark size={24} />
      </span>
      <div className={styles.source}>
        <h1 className={styles.name}>{isActive(phase) && cameraName ? cameraName : "Webcam"}</h1>
      </div>
      <p className={styles.state} data-tone={tone}>
        <span className={styles.dot} aria-hidden />
        {text}
        {age && <span className={styles.age}>{age}</span>}
      </p>
      <p className="visuallyHidden" role="status">
        {text}
      </p>
      <span className={styles.space} />
      <ModelChip health={health} />
      <span className={styles.phoneOnly}>
        <ThemeToggle />
      </span>
    </header>
  );
}
