import styles from "./Segmented.module.css";

interface Props<T extends string> {
  name: string;
  /** Empty where what stands around says it; name the group there. */
  legend: string;
  label?: string;
  value: T;
  /** `mark`: a dot, where something goes on there now. */
  options: readonly { value: T; label: string; hint: string; mark?: boolean }[];
  onChange(value: T): void;
}

/** One of a few, side by side: native radio buttons, so arrow keys and forms behave as everywhere. */
export function Segmented<T extends string>({ name, legend, label, value, options, onChange }: Props<T>) {
  return (
    <fieldset className={styles.set} aria-label={label}>
      {legend && <legend className={styles.legend}>{legend}</legend>}
      <div className={styles.track}>
        {options.map((option) => (
          <label key={option.value} className={styles.option} title={option.hint}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>
              {option.label}
              {option.mark && <i className={styles.mark} aria-hidden />}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
