"use client";

import { CloudOff, History, Play } from "lucide-react";
import { useEffect, useState } from "react";
import type { Client } from "@/lib/client";
import type { SessionInfo } from "@/lib/types";
import { useStore } from "./hooks";
import { SessionDetail } from "./SessionDetail";
import { SessionRow } from "./SessionRow";
import styles from "./SessionsView.module.css";

interface Props {
  client: Client;
  /** The session whose events are open. */
  selected: string | null;
  onDemo(): void;
}

/** Every session of the server, newest first, and the events of one of them. */
export function SessionsView({ client, selected, onDemo }: Props) {
  const { sessions: list, session: live, router, toasts } = client;
  const { state, sessions, more, stopping } = useStore(list.view);
  const running = useStore(live.running);
  const now = useWallClock();

  useEffect(() => list.watch(), [list]);

  const stop = (session: SessionInfo) => {
    list.stop(session.sessionId);
    toasts.show({
      title: `Stopping ${session.source?.name ?? "the session"}`,
      text: "It ends for everybody who watches it.",
      actions: [{ label: "Undo", run: () => list.undo(session.sessionId) }],
      lastsMs: 4_800,
    });
  };
  const watch = ({ sessionId }: SessionInfo) =>
    router.go({ view: "live", watch: running?.own && running.sessionId === sessionId ? null : sessionId });
  const open = (sessionId: string | null) => router.go({ view: "sessions", session: sessionId });

  const alive = sessions.filter(({ state }) => state !== "ended" && state !== "failed").length;
  return (
    <div className={styles.view} data-open={selected !== null}>
      <main className={styles.list} id="sessions" tabIndex={-1}>
        <header className={styles.head}>
          <h1>Sessions</h1>
          {state !== "loading" && sessions.length > 0 && (
            <p className={styles.count}>
              {alive} running, {sessions.length - alive}
              {more ? "+" : ""} ended
            </p>
          )}
        </header>
        {state === "gone" && (
          <p className={styles.gone} role="alert">
            <CloudOff size={16} aria-hidden />
            <span>
              The server does not answer; this page keeps asking.
              {sessions.length > 0 && " What you see is what it said last."}
            </span>
            <button type="button" onClick={() => void list.refresh()}>
              Ask again
            </button>
          </p>
        )}
        {state === "loading" ? (
          <ul className={styles.rows} aria-busy aria-label="Loading the sessions">
            {[0, 1, 2].map((n) => (
              <li key={n} className={styles.blank} />
            ))}
          </ul>
        ) : sessions.length === 0 ? (
          state === "ok" && <Nothing onDemo={onDemo} />
        ) : (
          <ul className={styles.rows}>
            {sessions.map((session) => (
              <SessionRow
                key={session.sessionId}
                session={session}
                now={now}
                here={running?.sessionId === session.sessionId}
                selected={selected === session.sessionId}
                stopping={stopping.has(session.sessionId)}
                onOpen={() => open(session.sessionId)}
                onWatch={() => watch(session)}
                onStop={() => stop(session)}
                onUndo={() => list.undo(session.sessionId)}
              />
            ))}
          </ul>
        )}
        {more && (
          <button type="button" className={styles.more} onClick={list.more}>
            Older sessions
          </button>
        )}
      </main>
      <SessionDetail client={client} sessionId={selected} known={sessions.find((one) => one.sessionId === selected)} now={now} onClose={() => open(null)} />
    </div>
  );
}

function Nothing({ onDemo }: { onDemo(): void }) {
  return (
    <div className={styles.nothing}>
      <span className={styles.sign}>
        <History size={28} aria-hidden />
      </span>
      <h2>No sessions yet</h2>
      <p>Every session is kept here with its events and pictures, while it runs and after.</p>
      <button type="button" className={styles.primary} onClick={onDemo}>
        <Play size={16} fill="currentColor" aria-hidden /> Start demo
      </button>
    </div>
  );
}

/** Unix seconds, renewed every second. */
function useWallClock(): number {
  const [now, setNow] = useState(() => Date.now() / 1_000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1_000), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
