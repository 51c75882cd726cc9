"use client";

import { type PointerEvent, useState } from "react";
import { whole } from "@/lib/format";
import type { TrendPoint } from "@/lib/readings";
import { nearest, path, placeX, POINTS, scaleTop } from "./chart";
import styles from "./LatencyChart.module.css";

const percent = (share: number) => `${(share * 100).toFixed(2)}%`;

/** The last minute of the latency: the median as a line, the 95th percentile above it, values under the pointer. */
export function LatencyChart({ points }: { points: readonly TrendPoint[] }) {
  const [pointer, setPointer] = useState<number | null>(null);
  const top = scaleTop(points);
  const median = path(points.map(({ p50 }) => p50), top);
  const start = points.length > 0 ? placeX(0, points.length) * 100 : 100;
  const index = pointer === null ? null : nearest(pointer, points.length);
  const at = index === null ? null : (points[index] ?? null);
  const newest = points.at(-1);

  const onMove = (event: PointerEvent) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setPointer(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };

  const words = newest
    ? `Latency over the last minute, now ${whole(newest.p50)} milliseconds, between ${whole(Math.min(...points.map(({ p50 }) => p50)))} and ${whole(Math.max(...points.map(({ p95 }) => p95)))}`
    : "Latency over the last minute, nothing yet";
  return (
    <div className={styles.chart} role="img" aria-label={words}>
      <div className={styles.axis} aria-hidden>
        <span>{whole(top)}</span>
        <span>{whole(top / 2)}</span>
        <span>0</span>
      </div>
      <div className={styles.plot} onPointerMove={onMove} onPointerLeave={() => setPointer(null)}>
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden>
          <path className={styles.grid} d="M0 0H100M0 50H100M0 100H100" vectorEffect="non-scaling-stroke" />
          {points.length > 1 && (
            <>
              <path className={styles.area} d={`${median}L100 100L${start.toFixed(2)} 100Z`} />
              <path className={styles.high} d={path(points.map(({ p95 }) => p95), top)} vectorEffect="non-scaling-stroke" />
              <path className={styles.median} d={median} vectorEffect="non-scaling-stroke" />
            </>
          )}
        </svg>
        {at !== null && index !== null && (
          <>
            <span className={styles.cursor} style={{ left: percent(placeX(index, points.length)) }} />
            <span className={styles.dot} style={{ left: percent(placeX(index, points.length)), top: percent(1 - at.p50 / top) }} />
            <span className={styles.tip} data-left={placeX(index, points.length) > 0.5} style={{ left: percent(placeX(index, points.length)) }}>
              <b>{whole(at.p50)}</b> ms · p95 {whole(at.p95)} · {points.length - 1 - index} s ago
            </span>
          </>
        )}
      </div>
      <div className={styles.time} aria-hidden>
        <span>{POINTS} s ago</span>
        <span>now</span>
      </div>
    </div>
  );
}
