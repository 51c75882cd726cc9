import styles from "./StatePill.module.css";
import type { Tone } from "./words";

/** A state in words and colour, with how long it has lasted. */
export function StatePill({ tone, text, age }: { tone: Tone; text: string; age?: string }) {
  return (
    <span className={styles.state} data-tone={tone}>
      <span className={styles.dot} aria-hidden />
      {text}
      {age && <span className={styles.age}>{age}</span>}
    </span>
  );
}
