"use client";

import type { ReactNode } from "react";
import { breakdown, fps, NONE, sum, whole } from "@/lib/format";
import type { NumbersView } from "@/lib/numbers";
import type { LiveSession } from "@/lib/session";
import { useStore } from "./hooks";
import { LatencyChart } from "./LatencyChart";
import styles from "./Numbers.module.css";

const LATENCY = {
  page: {
    label: "Page to page",
    hint: "From this page's encoder to this page's screen, matched frame by frame, with the encoder's mean time. The lens and the monitor are not in it.",
  },
  source: {
    label: "Source to screen",
    hint: "From the moment the server had the frame to this page's screen. Two clocks are in it: how far they are apart is estimated from pings, at most half a round trip off.",
  },
} as const;

/** The live numbers: what went in, was detected and came back, how late, and what was lost on the way. */
export function Numbers({ session }: { session: LiveSession }) {
  const view = useStore(session.numbers.view);
  const kind = useStore(session.plan)?.choice.kind;
  const { server, latency, trend } = view;
  const infer = server?.latencyMs.infer;
  const drops = sum(view.drops);
  const queued = server ? sum(server.queues) : null;
  return (
    <section className={styles.numbers} aria-label="Live numbers">
      <div className={styles.wide}>
        <Figure
          label={kind ? LATENCY[view.latencyKind].label : "Latency"}
          value={latency ? whole(latency.p50) : NONE}
          unit="ms"
          note={<LatencyNote view={view} />}
          hint={LATENCY[view.latencyKind].hint}
        />
        <LatencyChart points={trend} />
      </div>
      <Figure
        label={kind === "screen" ? "Screen in" : kind === "camera" ? "Camera in" : "Source in"}
        value={fps(server?.fpsIn)}
        unit="fps"
        note={view.sentFps === null ? "" : `${fps(view.sentFps)} sent`}
        hint={`Frames a second that the server ${view.sentKbps === null ? "got" : `decoded. This page sends ${whole(view.sentKbps)} kb/s`}.`}
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

function LatencyNote({ view: { measurable, latency, latencyErrorMs, latencyKind } }: { view: NumbersView }) {
  if (!measurable) return "not in this browser";
  if (!latency) return latencyKind === "page" ? "not measured yet" : "not estimated yet";
  return (
    <>
      p95 {whole(latency.p95)} ms
      <br />
      {latencyKind === "page" ? "measured" : `estimated ±${whole(Math.max(1, latencyErrorMs ?? 1))} ms`}
    </>
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
