"use client";

import { CircleAlert, Clock, LogIn, LogOut, Radio } from "lucide-react";
import { memo } from "react";
import type { FeedEvent } from "@/lib/events";
import { clock, duration } from "@/lib/format";
import styles from "./EventRow.module.css";
import type { Spot } from "./Spotlight";
import { Thumb } from "./Thumb";
import { SERVER_STATES } from "./words";

const PHASES = {
  entered: { Icon: LogIn, tone: "entered" },
  dwelt: { Icon: Clock, tone: "dwelt" },
  left: { Icon: LogOut, tone: "left" },
} as const;

interface Props {
  event: FeedEvent;
  /** Where there is a picture to light up in. */
  onSpot?(spot: Spot | null): void;
}

/** One event: what, which, when. Pointing at an object lights it up in the picture. */
export const EventRow = memo(function EventRow({ event, onSpot }: Props) {
  const { Icon, tone, title, note } = describe(event);
  const spot = event.kind === "object" && event.data.phase !== "left" ? { trackId: event.data.trackId } : null;
  const alt = event.kind === "object" ? `${event.data.label} ${event.data.trackId}` : "";
  return (
    <li
      className={styles.row}
      data-tone={tone}
      onPointerEnter={spot && onSpot ? () => onSpot(spot) : undefined}
      onPointerLeave={spot && onSpot ? () => onSpot(null) : undefined}
    >
      <Thumb artifact={event.kind === "object" ? event.data.thumbnail : null} Icon={Icon} alt={alt} />
      <div className={styles.words}>
        <p className={styles.title}>{title}</p>
        {note && <p className={styles.note}>{note}</p>}
      </div>
      <time className={styles.time} dateTime={new Date(event.at * 1_000).toISOString()}>
        {clock(event.at)}
      </time>
    </li>
  );
});

function describe(event: FeedEvent) {
  switch (event.kind) {
    case "object": {
      const { phase, label, trackId, firstSeen, lastSeen, confidence } = event.data;
      const stay = duration(lastSeen - firstSeen);
      const who = (
        <>
          <b>{label}</b> <span className={styles.track}>#{trackId}</span>
        </>
      );
      const sure = `${Math.round(confidence * 100)}% sure`;
      const words = { entered: "entered", dwelt: "is still here", left: "left" }[phase];
      const note = { entered: sure, dwelt: `for ${stay}`, left: `after ${stay}, at best ${sure}` }[phase];
      return { ...PHASES[phase], title: <>{who} {words}</>, note };
    }
    case "session": {
      const { state, reason, change } = event.data;
      return {
        Icon: Radio,
        tone: "system",
        title: change?.film ? "Film made" : change ? "Session changed" : `Session ${SERVER_STATES[state]?.text.toLowerCase() ?? state}`,
        note: [reason, change && !change.film && changeWords(change)].filter(Boolean).join(" · "),
      };
    }
    case "error":
      return { Icon: CircleAlert, tone: "error", title: event.data.message, note: event.data.code };
  }
}

function changeWords(change: Record<string, unknown>): string {
  return Object.entries(change)
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(", ");
}
