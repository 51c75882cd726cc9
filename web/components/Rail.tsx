import { Activity, Gauge, Video } from "lucide-react";
import { Mark } from "./Mark";
import styles from "./Rail.module.css";
import { ThemeToggle } from "./ThemeToggle";

/** Where one can go; on phones its parts move into the top bar. */
export function Rail() {
  return (
    <nav className={styles.rail} aria-label="Main">
      <span className={styles.mark}>
        <Mark />
      </span>
      <a className={styles.item} href="#main" aria-current="page" title="Live">
        <Video size={20} aria-hidden />
        <span className="visuallyHidden">Live</span>
      </a>
      <span className={styles.space} />
      <a className={styles.item} href="/health" target="_blank" rel="noreferrer" title="Health (JSON)">
        <Activity size={20} aria-hidden />
        <span className="visuallyHidden">Health, opens a new tab</span>
      </a>
      <a className={styles.item} href="/metrics" target="_blank" rel="noreferrer" title="Metrics (Prometheus)">
        <Gauge size={20} aria-hidden />
        <span className="visuallyHidden">Metrics, opens a new tab</span>
      </a>
      <ThemeToggle />
    </nav>
  );
}
