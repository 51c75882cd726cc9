"use client";

import { AudioLines, TriangleAlert } from "lucide-react";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { Client } from "@/lib/client";
import { whole } from "@/lib/format";
import { isActive } from "@/lib/phase";
import { type Silence, type SilenceAction, silenceOf } from "@/lib/silence";
import { Fresh } from "./Fresh";
import { useStore } from "./hooks";
import panel from "./Panel.module.css";
import styles from "./Transcript.module.css";
import { heardBy, newsOf, TranscriptLine } from "./TranscriptLine";

/** Nearer to the end than this is at the end, pixels. */
const AT_END = 24;

interface Props {
  client: Client;
  tabs: ReactNode;
  onSilence(action: SilenceAction): void;
}

/** What is said, as it is said: the newest at the end, which it follows unless the reader scrolled away. */
export function Transcript({ client, tabs, onSilence }: Props) {
  const { session, health } = client;
  const view = useStore(session.feed.transcript.view);
  const active = isActive(useStore(session.phase));
  const plan = useStore(session.plan);
  const running = useStore(session.running);
  const microphone = useStore(session.microphone.view);
  const asked = useStore(health.view);
  /** How many lines there were when the reader scrolled away from the end. */
  const [held, setHeld] = useState<number | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const { lines, partials, speaking, forgotten } = view;
  const count = forgotten + lines.length;
  const fresh = held === null ? 0 : count - held;

  useLayoutEffect(() => {
    if (held === null && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [view, held]);

  const onScroll = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = list.current ?? {};
    const away = scrollHeight - scrollTop - clientHeight > AT_END;
    if (away !== (held !== null)) setHeld(away ? count : null);
  };

  const recogniser = asked.state === "ok" ? asked.health.recogniser : null;
  const silence = silenceOf({
    kind: active && plan ? plan.choice.kind : null,
    hears: running?.hears ?? null,
    microphone,
    // Words that come say more of it than a self-test of some seconds ago.
    recogniser: partials.length > 0 ? null : recogniser,
  });
  const empty = lines.length === 0 && partials.length === 0;
  const newest = partials.at(-1) ?? lines.at(-1);
  const named = newest ? heardBy(newest) : running?.hears === "yes" && recogniser ? recogniser.name : "";
  return (
    <aside className={styles.panel} aria-label="Transcript">
      <header className={styles.head}>
        {tabs}
        <h2 className="visuallyHidden">Transcript</h2>
      </header>
      <p className={styles.facts}>
        <span title="Language and recogniser">{named}</span>
        {speaking && (
          <span className={styles.speaking}>
            <AudioLines size={16} aria-hidden /> Speaking
          </span>
        )}
      </p>
      {running?.hears === "yes" && recogniser?.fallback && (
        <p className={styles.fallback}>
          <TriangleAlert size={14} aria-hidden />
          <span>
            <b>Fallback: {recogniser.name}.</b> {recogniser.reason}
          </span>
        </p>
      )}
      {!empty && silence.trouble && (
        <div className={styles.trouble} role="status">
          <Why silence={silence} onSilence={onSilence} />
        </div>
      )}
      <div className={styles.scroller}>
        {/* Reachable by keyboard, since it scrolls. */}
        <ol ref={list} className={styles.lines} onScroll={onScroll} tabIndex={0} aria-label="What was said">
          {forgotten > 0 && <li className={styles.older}>{whole(forgotten)} older lines are in the session&rsquo;s record.</li>}
          {lines.map((line, i) => (
            <TranscriptLine key={line.id} line={line} note={i === 0 ? undefined : newsOf(line, lines[i - 1])} />
          ))}
          {partials.map((line) => (
            <TranscriptLine key={line.id} line={line} partial />
          ))}
        </ol>
        <Fresh count={fresh} at="bottom" list={list} />
        {empty && (
          <div className={styles.empty} data-trouble={silence.trouble}>
            <Why silence={silence} onSilence={onSilence} />
          </div>
        )}
      </div>
    </aside>
  );
}

const ACTIONS: Record<SilenceAction, string> = { open: "Switch the microphone on", restart: "Restart with the microphone" };

function Why({ silence: { text, action }, onSilence }: { silence: Silence; onSilence(action: SilenceAction): void }) {
  return (
    <>
      <p>{text}</p>
      {action && (
        <button type="button" className={panel.button} onClick={() => onSilence(action)}>
          {ACTIONS[action]}
        </button>
      )}
    </>
  );
}
