import { type Latency, Meter } from "./meter";
import type { Counters } from "./peer";
import { Cell } from "./store";
import type { DetectionData, MetricData } from "./types";

/** A metric older than this is no longer "live". */
const FRESH_MS = 3_500;

export interface NumbersView {
  /** Frames a second that this page received and decoded; null before two readings. */
  returnedFps: number | null;
  sentFps: number | null;
  sentKbps: number | null;
  /** What the server says of itself; null when it has not said so lately. */
  server: MetricData | null;
  latency: Latency | null;
  /** Median latency over the last minute, ms, oldest first. */
  trend: readonly number[];
  /** False where this browser cannot measure the latency. */
  measurable: boolean;
  roundTripMs: number | null;
  /** Lost since the session began, by where; the page's own count is under `page`. */
  drops: Readonly<Record<string, number>>;
  width: number;
  height: number;
}

const EMPTY: NumbersView = {
  returnedFps: null,
  sentFps: null,
  sentKbps: null,
  server: null,
  latency: null,
  trend: [],
  measurable: true,
  roundTripMs: null,
  drops: {},
  width: 0,
  height: 0,
};

/** Every number on the page: the server's metrics, this page's own counters, and the latency meter. */
export class Numbers {
  readonly view = new Cell<NumbersView>(EMPTY);
  readonly meter = new Meter();
  private metric: { data: MetricData; at: number } | null = null;
  private before: Counters | null = null;
  private told: Record<string, number> = {};

  open(): void {
    this.metric = null;
    this.told = {};
    this.restart();
    this.view.set(EMPTY);
  }

  /** A new peer connection counts from zero. */
  restart(): void {
    this.before = null;
    this.meter.restart();
  }

  /** Nothing is connected: no rate is true any more. What was lost, and the trend, stay for reading. */
  pause(): void {
    this.metric = null;
    const { drops, trend, measurable } = this.view.getSnapshot();
    this.view.set({ ...EMPTY, drops, trend, measurable });
  }

  heard(metric: MetricData): void {
    this.metric = { data: metric, at: performance.now() };
  }

  /** The server said that it dropped something on its way to this page. */
  dropped(what: string, count: number): void {
    this.told = { ...this.told, [what]: (this.told[what] ?? 0) + count };
  }

  detected({ rtpTime, sourceRtpTime }: DetectionData): void {
    if (typeof rtpTime === "number" && typeof sourceRtpTime === "number") this.meter.relate(rtpTime, sourceRtpTime);
  }

  /** Publish; call about once a second with fresh counters. */
  tick(counters: Counters): void {
    const { before } = this;
    this.before = counters;
    const seconds = before ? (counters.at - before.at) / 1_000 : 0;
    const rate = (field: "framesDecoded" | "framesSent" | "bytesSent") =>
      before && seconds > 0 ? Math.max(0, counters[field] - before[field]) / seconds : null;
    const encoded = before ? counters.framesEncoded - before.framesEncoded : 0;
    if (before && encoded > 0) this.meter.encodeMs = (counters.encodeMs - before.encodeMs) / encoded;
    const bytes = rate("bytesSent");
    const epoch = performance.timeOrigin + performance.now();
    const fresh = this.metric && performance.now() - this.metric.at < FRESH_MS;
    this.view.set({
      returnedFps: rate("framesDecoded"),
      sentFps: rate("framesSent"),
      sentKbps: bytes === null ? null : (bytes * 8) / 1_000,
      server: fresh ? (this.metric as { data: MetricData }).data : null,
      latency: this.meter.latency(epoch),
      trend: this.meter.tick(epoch),
      measurable: this.meter.supported,
      roundTripMs: counters.roundTripMs,
      drops: { ...this.metric?.data.drops, ...this.told, ...(counters.framesDropped ? { page: counters.framesDropped } : {}) },
      width: counters.width,
      height: counters.height,
    });
  }
}
