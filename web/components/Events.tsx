"use client";

import { type ReactNode, useMemo, useRef, useState } from "react";
import type { FeedEvent } from "@/lib/events";
import type { LiveSession } from "@/lib/session";
import { whole } from "@/lib/format";
import { EventRow } from "./EventRow";
import styles from "./Events.module.css";
import { Fresh } from "./Fresh";
import { useStore } from "./hooks";
import { Segmented } from "./Segmented";
import type { Spot } from "./Spotlight";

type Filter = "all" | "objects" | "system";

const FILTERS: readonly { value: Filter; label: string; hint: string }[] = [
  { value: "all", label: "All", hint: "Everything" },
  { value: "objects", label: "Objects", hint: "What entered, stayed and left" },
  { value: "system", label: "System", hint: "The session and its errors" },
];

function passes(filter: Filter, event: FeedEvent): boolean {
  return filter === "all" || (event.kind === "object") === (filter === "objects");
}

interface Props {
  session: LiveSession;
  active: boolean;
  tabs: ReactNode;
  onSpot(spot: Spot | null): void;
}

/** What happened, newest first, under what is in view now. */
export function Events({ session, active, tabs, onSpot }: Props) {
  const { feed } = session;
  const channel = useStore(session.channel);
  const view = useStore(feed.view);
  const [filter, setFilter] = useState<Filter>("all");
  /** The newest row when the reader scrolled away from the top; rows above it are "new". */
  const [held, setHeld] = useState<FeedEvent | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const rows = useMemo(() => view.rows.filter((row) => passes(filter, row)), [view.rows, filter]);
  const fresh = held ? Math.max(0, rows.indexOf(held)) : 0;

  const onScroll = () => {
    const away = (list.current?.scrollTop ?? 0) > 24;
    if (away !== (held !== null)) setHeld(away ? (rows[0] ?? null) : null);
  };

  return (
    <aside className={styles.panel} aria-label="Events">
      <header className={styles.head}>
        {tabs}
        <h2 className="visuallyHidden">Events</h2>
        <Segmented<Filter> name="events" legend="" label="Which events" value={filter} options={FILTERS} onChange={(value: Filter) => setFilter(value)} />
      </header>
      <div className={styles.now}>
        <div className={styles.over}>
          <h3>Now in view</h3>
          <span title="Kept on this page; older ones are on the server">
            {view.size > 0 && `${whole(view.size)} events`}
            {view.forgotten > 0 && `, ${whole(view.forgotten)} older or lost`}
          </span>
        </div>
        <ul>
          {view.chips.map(({ label, count }) => (
            <li
              key={label}
              className={styles.chip}
              onPointerEnter={() => onSpot({ label })}
              onPointerLeave={() => onSpot(null)}
            >
              <b>{count}</b> {label}
            </li>
          ))}
          {view.chips.length === 0 && <li className={styles.nothing}>{active ? "nothing" : NOT_WATCHING}</li>}
        </ul>
      </div>
      {active && channel === "missing" && (
        <p className={styles.missing} role="alert">
          The data channel to the server did not open: the picture comes, but no events, boxes and numbers. Stop and start again; if it stays so, a
          firewall or an extension may be in between.
        </p>
      )}
      <div className={styles.scroller}>
        <Fresh count={fresh} at="top" list={list} />
        {/* Rows are focusable through the list itself: it scrolls, so it must be reachable by keyboard. */}
        <ol ref={list} className={styles.rows} onScroll={onScroll} tabIndex={0} aria-label="Event list">
          {rows.map((row) => (
            <EventRow key={row.id} event={row} onSpot={onSpot} />
          ))}
        </ol>
        {rows.length === 0 && (
          <p className={styles.empty}>
            {active ? "Nothing yet. Whatever enters, stays or leaves appears here." : "Whatever enters, stays or leaves appears here, with a picture of it."}
          </p>
        )}
      </div>
    </aside>
  );
}

const NOT_WATCHING = "not watching";
