"use client";

import { ArrowLeft, Eye, ListTree } from "lucide-react";
import { useEffect, useState } from "react";
import { hrefOf } from "@/lib/api";
import type { Client } from "@/lib/client";
import { type Fault, faultOf } from "@/lib/faults";
import { duration, moment } from "@/lib/format";
import type { SessionInfo } from "@/lib/types";
import { EventRow } from "./EventRow";
import { useStore } from "./hooks";
import panel from "./Panel.module.css";
import styles from "./SessionDetail.module.css";
import { Segmented } from "./Segmented";
import { isOver } from "./SessionRow";
import { SessionWords } from "./SessionWords";
import { sourceOf } from "./sources";
import { StatePill } from "./StatePill";
import { SERVER_STATES } from "./words";

type Part = "events" | "words";

const PARTS: readonly { value: Part; label: string; hint: string }[] = [
  { value: "events", label: "Events", hint: "What was seen" },
  { value: "words", label: "Transcript", hint: "What was said" },
];

interface Props {
  client: Client;
  sessionId: string | null;
  /** The session as the list has it; one that is older than the list is asked for. */
  known: SessionInfo | undefined;
  /** Unix seconds. */
  now: number;
  onClose(): void;
}

/** One session: its facts, and its stored events with their pictures, page by page. */
export function SessionDetail({ client, sessionId, known, now, onClose }: Props) {
  const { log, sessions, router, words } = client;
  const [part, setPart] = useState<Part>("events");
  const view = useStore(log.view);
  const [asked, setAsked] = useState<{ id: string; info: SessionInfo | null; fault: Fault | null } | null>(null);
  const info = known ?? (asked?.id === sessionId ? (asked?.info ?? null) : null);
  const fault = asked?.id === sessionId && !known ? asked?.fault : null;
  const seq = info?.seq;

  useEffect(() => {
    if (sessionId === null || known) return;
    let here = true;
    sessions.find(sessionId).then(
      (found) => here && setAsked({ id: sessionId, info: found, fault: null }),
      (error: unknown) => here && setAsked({ id: sessionId, info: null, fault: faultOf(error, "watch") }),
    );
    return () => {
      here = false;
    };
  }, [sessionId, known, sessions]);

  useEffect(() => {
    if (sessionId === null) log.close();
    else if (seq !== undefined && log.view.getSnapshot().sessionId !== sessionId) log.open(sessionId, seq);
  }, [sessionId, seq, log]);
  useEffect(() => () => log.close(), [log]);

  if (sessionId === null) {
    return (
      <aside className={styles.panel} aria-label="Events of a session">
        <p className={styles.empty}>
          <ListTree size={24} aria-hidden />
          Choose a session to read its events.
        </p>
      </aside>
    );
  }
  const shown = view.sessionId === sessionId;
  const newer = shown && info && view.newest !== null && info.seq > view.newest ? info.seq - view.newest : 0;
  return (
    <aside className={styles.panel} aria-label="Events of a session">
      <header className={panel.head}>
        <button type="button" className={styles.back} onClick={onClose} aria-label="Back to the list">
          <ArrowLeft size={18} aria-hidden />
        </button>
        <h2 className={styles.title}>{info ? sourceOf(info).name : "Session"}</h2>
        {info && <StatePill {...SERVER_STATES[info.state]} />}
        {info && !isOver(info) && info.mode !== "batch" && (
          <button type="button" className={panel.button} onClick={() => router.go({ view: "live", watch: sessionId })}>
            <Eye size={16} aria-hidden /> Watch
          </button>
        )}
      </header>
      {info && (
        <dl className={styles.facts}>
          <dt>Started</dt>
          <dd>{moment(info.createdAt)}</dd>
          <dt>{isOver(info) ? "Lasted" : "Runs for"}</dt>
          <dd>{duration((info.endedAt ?? now) - info.createdAt)}</dd>
          {info.reason && (
            <>
              <dt>Why</dt>
              <dd>{info.reason}</dd>
            </>
          )}
          <dt>Id</dt>
          <dd className="mono">{info.sessionId}</dd>
        </dl>
      )}
      <div className={styles.parts}>
        <Segmented<Part> name="part" legend="" label="Of this session" value={part} options={PARTS} onChange={setPart} />
      </div>
      {part === "words" && info && (
        <div className={styles.scroller} tabIndex={0} role="region" aria-label="Stored transcript">
          <SessionWords words={words} sessionId={sessionId} listens={info.pipelines?.includes("audio") ?? false} over={isOver(info)} recorded={info.source?.kind === "upload"} />
        </div>
      )}
      <div className={styles.scroller} tabIndex={0} role="region" aria-label="Stored events" hidden={part === "words" && info !== null}>
        {newer > 0 && info && (
          <button type="button" className={panel.more} onClick={() => log.open(sessionId, info.seq)}>
            Read the newest
          </button>
        )}
        {shown && view.snapshots.length > 0 && (
          <ul className={styles.snapshots} aria-label="Snapshots">
            {view.snapshots.map(({ artifactId, url }, i) => (
              <li key={artifactId}>
                <a href={hrefOf(url)} target="_blank" rel="noreferrer">
                  <img src={hrefOf(url)} alt={`Snapshot ${i + 1}`} width={112} height={63} loading="lazy" decoding="async" />
                </a>
              </li>
            ))}
          </ul>
        )}
        {shown &&
          view.films.map(({ artifactId, url }) => (
            <figure key={artifactId} className={styles.film}>
              <video controls preload="metadata" src={hrefOf(url)} aria-label="Annotated film" />
            </figure>
          ))}
        <ol>
          {shown && view.rows.map((row) => <EventRow key={row.id} event={row} />)}
        </ol>
        {(fault ?? view.fault) && (
          <p className={panel.fault} role="alert">
            {(fault ?? view.fault)?.title}. {(fault ?? view.fault)?.text}
          </p>
        )}
        {shown && view.busy && <p className={panel.note}>Reading…</p>}
        {shown && !view.busy && !view.complete && (
          <button type="button" className={panel.more} onClick={() => void log.older()}>
            {view.fault ? "Try again" : "Older events"}
          </button>
        )}
        {shown && !view.busy && view.complete && <p className={panel.note}>{view.rows.length === 0 ? "Nothing was seen in this session." : "That is all."}</p>}
      </div>
    </aside>
  );
}
