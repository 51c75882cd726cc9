/** Readings of one number lately: percentiles of a short window, and their trend. */

const WINDOW_MS = 3_000;
const TREND_POINTS = 60;

export interface Latency {
  p50: number;
  p95: number;
  samples: number;
}

export interface TrendPoint {
  p50: number;
  p95: number;
}

/** Percentiles over three seconds, so that a stall shows no old number. Times and values are milliseconds. */
export class Readings {
  private readonly kept: { at: number; ms: number }[] = [];
  private points: TrendPoint[] = [];

  add(at: number, ms: number): void {
    this.kept.push({ at, ms });
    this.forget(at);
  }

  /** Null without a reading in the window. */
  latency(now: number): Latency | null {
    this.forget(now);
    if (this.kept.length === 0) return null;
    const sorted = this.kept.map((reading) => reading.ms).sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number;
    return { p50: at(0.5), p95: at(0.95), samples: sorted.length };
  }

  /** Add the present percentiles to the trend; call at a steady rate. A new array each time, oldest first. */
  tick(now: number): readonly TrendPoint[] {
    const latency = this.latency(now);
    if (latency) this.points = [...this.points.slice(1 - TREND_POINTS), { p50: latency.p50, p95: latency.p95 }];
    return this.points;
  }

  /** Readings of another connection would not compare; the trend goes on. */
  clear(): void {
    this.kept.length = 0;
  }

  private forget(now: number): void {
    let old = 0;
    while (old < this.kept.length && (this.kept[old] as { at: number }).at < now - WINDOW_MS) old += 1;
    if (old) this.kept.splice(0, old);
  }
}
