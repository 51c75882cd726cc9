"use client";

import { useEffect } from "react";
import { hrefOf } from "@/lib/api";
import type { TranscriptLog } from "@/lib/transcriptlog";
import { useStore } from "./hooks";
import panel from "./Panel.module.css";
import styles from "./SessionWords.module.css";
import { newsOf, TranscriptLine } from "./TranscriptLine";

interface Props {
  words: TranscriptLog;
  sessionId: string;
  /** False for a session that was started for its pictures alone. */
  listens: boolean;
  over: boolean;
  /** What it listened to is a recording. */
  recorded: boolean;
}

/** What was said in a stored session, from its beginning. */
export function SessionWords({ words, sessionId, listens, over, recorded }: Props) {
  const view = useStore(words.view);
  useEffect(() => {
    words.open(sessionId);
    return () => words.close();
  }, [words, sessionId]);
  const { lines, busy, complete, fault } = view;
  return (
    <>
      {lines.length > 0 && (
        <p className={styles.files}>
          As subtitles:
          {(["srt", "vtt"] as const).map((kind) => (
            <a key={kind} href={hrefOf(`/sessions/${sessionId}/transcript.${kind}`)} download={`${sessionId}.${kind}`}>
              {kind.toUpperCase()}
            </a>
          ))}
        </p>
      )}
      <ol>
        {lines.map((line, i) => (
          <TranscriptLine key={line.id} line={line} note={newsOf(line, lines[i - 1])} recorded={recorded} />
        ))}
      </ol>
      {fault && (
        <p className={panel.fault} role="alert">
          {fault.title}. {fault.text}
        </p>
      )}
      {busy && <p className={panel.note}>Reading…</p>}
      {!busy && complete && over && <p className={panel.note}>{lines.length > 0 ? "That is all." : listens ? "Nothing was said in this session." : "This session did not listen."}</p>}
      {!busy && complete && !over && lines.length === 0 && (
        <p className={panel.note}>{listens ? "Nothing has been said yet." : "This session does not listen."}</p>
      )}
      {!busy && (!complete || (!over && listens)) && (
        <button type="button" className={panel.more} onClick={() => void words.more()}>
          {fault ? "Try again" : complete ? "Look for more" : "Read on"}
        </button>
      )}
    </>
  );
}
