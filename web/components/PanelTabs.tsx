import styles from "./PanelTabs.module.css";

export type PanelTab = "events" | "transcript";

const TABS: readonly { value: PanelTab; label: string }[] = [
  { value: "events", label: "Events" },
  { value: "transcript", label: "Transcript" },
];

interface Props {
  value: PanelTab;
  /** Somebody speaks: a dot on the transcript's tab. */
  speaking: boolean;
  onChange(value: PanelTab): void;
}

/** What stands beside the picture; phones have their own tabs under it. */
export function PanelTabs({ value, speaking, onChange }: Props) {
  return (
    <fieldset className={styles.tabs} aria-label="Beside the picture">
      {TABS.map((tab) => (
        <label key={tab.value} className={styles.tab}>
          <input type="radio" name="panel" value={tab.value} checked={tab.value === value} onChange={() => onChange(tab.value)} />
          <span>
            {tab.label}
            {tab.value === "transcript" && speaking && <i className={styles.mark} aria-hidden />}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
