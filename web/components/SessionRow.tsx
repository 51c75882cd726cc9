import { Eye, Square, Undo2, Users } from "lucide-react";
import type { MouseEvent } from "react";
import { ago, duration, moment, whole } from "@/lib/format";
import { routeHref } from "@/lib/route";
import type { SessionInfo } from "@/lib/types";
import styles from "./SessionRow.module.css";
import { sourceOf } from "./sources";
import { StatePill } from "./StatePill";
import { SERVER_STATES } from "./words";

interface Props {
  session: SessionInfo;
  /** Unix seconds. */
  now: number;
  /** True for the session that this page runs or watches. */
  here: boolean;
  selected: boolean;
  stopping: boolean;
  onOpen(): void;
  onWatch(): void;
  onStop(): void;
  onUndo(): void;
}

/** True when it can never be live again. */
export function isOver({ state }: SessionInfo): boolean {
  return state === "ended" || state === "failed";
}

/** One session: what, since when, who looks, and what can be done. A press anywhere on it opens its events. */
export function SessionRow({ session, now, here, selected, stopping, onOpen, onWatch, onStop, onUndo }: Props) {
  const { name, Icon, kind } = sourceOf(session);
  const over = isOver(session);
  const { text, tone } = SERVER_STATES[session.state];
  const lasted = duration((session.endedAt ?? now) - session.createdAt);
  const open = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onOpen();
  };
  return (
    <li className={styles.row} data-over={over} data-selected={selected}>
      <span className={styles.icon} data-tone={tone}>
        <Icon size={20} aria-hidden />
      </span>
      <div className={styles.words}>
        <p className={styles.title}>
          <a href={routeHref({ view: "sessions", session: session.sessionId })} aria-current={selected ? "true" : undefined} onClick={open}>
            {name}
          </a>
          {here && <span className={styles.here}>this page</span>}
        </p>
        <p className={styles.facts}>
          {[kind !== name.toLowerCase() && kind, session.profile, session.overlay, over && `lasted ${lasted}`].filter(Boolean).join(" · ")}
        </p>
      </div>
      <p className={styles.state}>
        <StatePill tone={tone} text={text} age={over ? undefined : lasted} />
        <time className={styles.when} dateTime={new Date(session.createdAt * 1_000).toISOString()} title={moment(session.createdAt)}>
          {ago(session.endedAt ?? session.createdAt, now)}
        </time>
      </p>
      <dl className={styles.counts}>
        <div title="Connections to it now">
          <dt>
            <Users size={14} aria-hidden />
            <span className="visuallyHidden">Peers</span>
          </dt>
          <dd>{session.peers}</dd>
        </div>
        <div title="Events stored">
          <dt>events</dt>
          <dd>{whole(session.seq)}</dd>
        </div>
      </dl>
      <div className={styles.actions}>
        {stopping ? (
          <button type="button" onClick={onUndo}>
            <Undo2 size={16} aria-hidden /> Undo stop
          </button>
        ) : (
          !over && (
            <>
              {session.mode !== "batch" && (
                <button type="button" onClick={onWatch} aria-label={`${here ? "Show" : "Watch"} ${name}`}>
                  <Eye size={16} aria-hidden /> {here ? "Show" : "Watch"}
                </button>
              )}
              <button type="button" data-stop onClick={onStop} aria-label={`Stop ${name}`} title="Ends it for everybody">
                <Square size={14} fill="currentColor" aria-hidden />
              </button>
            </>
          )
        )}
      </div>
    </li>
  );
}
