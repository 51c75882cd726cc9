import { ArrowDown, ArrowUp } from "lucide-react";
import type { RefObject } from "react";
import styles from "./Fresh.module.css";

interface Props {
  /** How many have come since the reader scrolled away from where they appear. */
  count: number;
  /** Where they appear. */
  at: "top" | "bottom";
  list: RefObject<HTMLElement | null>;
}

/** "3 new", over a list: the way back to them. */
export function Fresh({ count, at, list }: Props) {
  if (count <= 0) return null;
  const Arrow = at === "top" ? ArrowUp : ArrowDown;
  const go = () => list.current?.scrollTo({ top: at === "top" ? 0 : list.current.scrollHeight, behavior: "smooth" });
  return (
    <button type="button" className={styles.fresh} data-at={at} onClick={go}>
      <Arrow size={14} aria-hidden /> {count} new
    </button>
  );
}
