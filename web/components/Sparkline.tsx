import styles from "./Sparkline.module.css";

const WIDTH = 240;
const HEIGHT = 48;
const POINTS = 60;
/** The scale's top is never below this, so that a few milliseconds of noise do not look like a mountain. */
const MIN_TOP_MS = 150;

/** The last minute of a number, newest at the right. Decoration: the number stands beside it. */
export function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length < 2) return <span className={styles.line} aria-hidden />;
  const top = Math.max(MIN_TOP_MS, ...values) * 1.1;
  const x = (i: number) => WIDTH - ((values.length - 1 - i) * WIDTH) / (POINTS - 1);
  const y = (value: number) => HEIGHT - (value / top) * HEIGHT;
  const path = values.map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return (
    <svg className={styles.line} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden>
      <path className={styles.area} d={`${path}L${WIDTH} ${HEIGHT}L${x(0).toFixed(1)} ${HEIGHT}Z`} />
      <path className={styles.stroke} d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
