"use client";

import type { ReactNode } from "react";
import { breakdown, fps, NONE, sum, whole } from "@/lib/format";
import type { LiveSession } from "@/lib/session";
import { useStore } from "./hooks";
import styles from "./Numbers.module.css";
import { Sparkline } from "./Sparkline";

/** The live numbers: what went in, was detected and came back, how late, and what was lost on the way. */
export function Numbers({ session }: { session: LiveSession }) {
  const view = useStore(session.numbers.view);
  const { server, latency, trend } = view;
  const infer = server?.latencyMs.infer;
  const drops = sum(view.drops);
  const queued = server ? sum(server.queues) : null;
  return (
    <section className={styles.numbers} aria-label="Live numbers">
      <div className={styles.wide}>
        <Figure
          label="Glass to glass"
          value={latency ? whole(latency.p50) : NONE}
          unit="ms"
          note={!view.measurable ? "not measured in this browser" : latency ? `p95 ${whole(latency.p95)} ms, measured here` : "not measured yet"}
          hint="From this page's encoder to this page's screen, matched frame by frame, with the encoder's mean time. The lens and the monitor are not in it."
        />
        <Sparkline values={trend} />
      </div>
      <Figure
        label="Camera in"
        value={fps(server?.fpsIn)}
        unit="fps"
        note={view.sentFps === null ? "" : `${fps(view.sentFps)} sent`}
        hint={`Frames a second that the server decoded. This page sends ${whole(view.sentKbps)} kb/s.`}
      />
      <Figure
        label="Detected"
        value={fps(server?.fpsDetected)}
        unit="fps"
        note={infer ? `${infer.p50.toFixed(0)} ms each` : ""}
        hint="Frames a second that the detector looked at"
      />
      <Figure
        label="Returned"
        value={fps(view.returnedFps)}
        unit="fps"
        note={view.width ? `${view.width} × ${view.height}` : ""}
        hint="Annotated frames a second that this page decoded, measured here"
      />
      <Figure
        label="Dropped"
        value={server || drops ? whole(drops) : NONE}
        note={breakdown(view.drops) || (server ? "nothing lost" : "")}
        hint={`Frames and events lost since the session began, by where. ${breakdown(view.drops)}`}
      />
      <Figure
        label="Queued"
        value={whole(queued)}
        note={server ? breakdown(server.queues) || "nothing waits" : ""}
        hint={`What waits inside the server now, by queue. ${server ? breakdown(server.queues) : ""}`}
      />
    </section>
  );
}

interface FigureProps {
  label: string;
  value: string;
  unit?: string;
  note: ReactNode;
  hint: string;
}

function Figure({ label, value, unit, note, hint }: FigureProps) {
  return (
    <dl className={styles.figure} title={hint}>
      <dt>{label}</dt>
      <dd className={styles.value}>
        {value}
        {unit && value !== NONE && <small>{unit}</small>}
      </dd>
      <dd className={styles.note}>{note || "\u00a0"}</dd>
    </dl>
  );
}
