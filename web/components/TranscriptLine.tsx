import { memo } from "react";
import { clock, place } from "@/lib/format";
import { type Line, marked } from "@/lib/transcript";
import styles from "./TranscriptLine.module.css";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

/** "English, whisper-tiny": in which language it was, and what heard it. */
export function heardBy({ language, engine }: Pick<Line, "language" | "engine">): string {
  return [language && languageName(language), engine].filter(Boolean).join(" · ");
}

function languageName(code: string): string {
  try {
    return LANGUAGES.of(code) ?? code;
  } catch {
    // Not a language tag, so not for this list.
    return code;
  }
}

interface Props {
  line: Line;
  /** It may still change. */
  partial?: boolean;
  /** Language and engine, where they are news. */
  note?: string | undefined;
  /** It was said in a recording: its place there is told, not the time of day. */
  recorded?: boolean;
}

/** What was said, and when; words that the recogniser doubts are dotted. */
export const TranscriptLine = memo(function TranscriptLine({ line, partial = false, note, recorded = false }: Props) {
  const start = recorded ? line.words[0]?.start : undefined;
  return (
    <li className={styles.line} data-partial={partial}>
      <time className={styles.time} dateTime={start === undefined ? new Date(line.at * 1_000).toISOString() : `PT${start}S`}>
        {start === undefined ? clock(line.at) : place(start)}
      </time>
      <div className={styles.said}>
        <p lang={line.language ?? undefined}>
          {partial && <span className="visuallyHidden">Not final yet: </span>}
          {marked(line).map(({ text, probability }, i) =>
            probability === null ? (
              text
            ) : (
              <span key={i} className={styles.unsure} title={`${Math.round(probability * 100)}% sure`}>
                {text}
              </span>
            ),
          )}
          {partial && " …"}
        </p>
        {note && <p className={styles.note}>{note}</p>}
      </div>
    </li>
  );
});

/** What heard it, where that is not what heard the line before. */
export function newsOf(line: Line, before: Line | undefined): string | undefined {
  const news = heardBy(line);
  return before && heardBy(before) === news ? undefined : news;
}
