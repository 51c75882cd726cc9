import { Meter } from "./meter";
import type { Counters } from "./peer";
import type { Latency, TrendPoint } from "./readings";
import { SourceMeter } from "./sourcemeter";
import { Cell } from "./store";
import type { DetectionData, MetricData } from "./types";

/** A metric older than this is no longer "live". */
const FRESH_MS = 3_500;

/** `page`: from this page's encoder to its screen, measured. `source`: from the server's picture to this screen, estimated. */
export type LatencyKind = "page" | "source";

export interface NumbersView {
  /** Frames a second that this page received and decoded; null before two readings. */
  returnedFps: number | null;
  sentFps: number | null;
  sentKbps: number | null;
  /** What the server says of itself; null when it has not said so lately. */
  server: MetricData | null;
  latencyKind: LatencyKind;
  latency: Latency | null;
  /** How far off an estimated latency may be, ms; null for a measured one. */
  latencyErrorMs: number | null;
  /** Latency over the last minute, oldest first, a point a second. */
  trend: readonly TrendPoint[];
  /** False where this browser cannot tell the latency. */
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
  latencyKind: "page",
  latency: null,
  latencyErrorMs: null,
  trend: [],
  measurable: true,
  roundTripMs: null,
  drops: {},
  width: 0,
  height: 0,
};

/** Every number on the page: the server's metrics, this page's own counters, and the latency meter of the session's kind. */
export class Numbers {
  readonly view = new Cell<NumbersView>(EMPTY);
  private page = new Meter();
  private source = new SourceMeter();
  private kind: LatencyKind = "page";
  private metric: { data: MetricData; at: number } | null = null;
  private before: Counters | null = null;
  private told: Record<string, number> = {};

  open(kind: LatencyKind): void {
    this.kind = kind;
    this.page = new Meter();
    this.source = new SourceMeter();
    this.metric = null;
    this.told = {};
    this.before = null;
    this.view.set({ ...EMPTY, latencyKind: kind });
  }

  /** A new peer connection counts from zero. */
  restart(): void {
    this.before = null;
    this.page.restart();
    this.source.restart();
  }

  /** Nothing is connected: no rate is true any more. What was lost, and the trend, stay for reading. */
  pause(): void {
    this.metric = null;
    const { drops, trend, measurable, latencyKind } = this.view.getSnapshot();
    this.view.set({ ...EMPTY, drops, trend, measurable, latencyKind });
  }

  /** This browser lacks what the latency is told from. */
  unmeasurable(): void {
    this.meter.supported = false;
  }

  /** A frame left this page's encoder. */
  sent(rtp: number, at: number): void {
    this.page.sent(rtp, at);
  }

  /** The picture with this RTP timestamp is due on screen at `at`, ms since the Unix epoch. */
  shown(rtpTimestamp: number, at: number): void {
    this.meter.shown(rtpTimestamp, at);
  }

  /** From `attached`: where the returned track's RTP time starts, and the server's wall clock of media time zero. */
  setOrigin(rtpOrigin: number | undefined, clockOrigin: number | null | undefined): void {
    if (rtpOrigin !== undefined) this.page.setOrigin(rtpOrigin);
    this.source.setOrigin(rtpOrigin ?? null, clockOrigin ?? null);
  }

  /** The id of a clock question that leaves now; null where none is needed. */
  ping(): string | null {
    return this.kind === "source" ? this.source.clock.ping(epoch()) : null;
  }

  pong(id: string | undefined, at: number): void {
    this.source.clock.pong(id, at, epoch());
  }

  heard(metric: MetricData): void {
    this.metric = { data: metric, at: performance.now() };
  }

  /** The server said that it dropped something on its way to this page. */
  dropped(what: string, count: number): void {
    this.told = { ...this.told, [what]: (this.told[what] ?? 0) + count };
  }

  detected({ rtpTime, sourceRtpTime }: DetectionData, mediaTime: number | null): void {
    if (typeof rtpTime !== "number") return;
    if (typeof sourceRtpTime === "number") this.page.relate(rtpTime, sourceRtpTime);
    if (mediaTime !== null) this.source.relate(mediaTime, rtpTime);
  }

  /** Publish; call about once a second with fresh counters. */
  tick(counters: Counters): void {
    const { before } = this;
    this.before = counters;
    const seconds = before ? (counters.at - before.at) / 1_000 : 0;
    const rate = (field: "framesDecoded" | "framesSent" | "bytesSent") => {
      const [from, to] = [before?.[field], counters[field]];
      return typeof from === "number" && to !== null && seconds > 0 ? Math.max(0, to - from) / seconds : null;
    };
    const encoded = before ? counters.framesEncoded - before.framesEncoded : 0;
    if (before && encoded > 0) this.page.encodeMs = (counters.encodeMs - before.encodeMs) / encoded;
    const bytes = rate("bytesSent");
    const now = epoch();
    const fresh = this.metric && performance.now() - this.metric.at < FRESH_MS;
    this.view.set({
      returnedFps: rate("framesDecoded"),
      sentFps: rate("framesSent"),
      sentKbps: bytes === null ? null : (bytes * 8) / 1_000,
      server: fresh ? (this.metric as { data: MetricData }).data : null,
      latencyKind: this.kind,
      latency: this.meter.latency(now),
      latencyErrorMs: this.kind === "source" ? (this.source.clock.estimate()?.errorMs ?? null) : null,
      trend: this.meter.tick(now),
      measurable: this.meter.supported,
      roundTripMs: counters.roundTripMs,
      drops: { ...this.metric?.data.drops, ...this.told, ...(counters.framesDropped ? { page: counters.framesDropped } : {}) },
      width: counters.width,
      height: counters.height,
    });
  }

  private get meter(): Meter | SourceMeter {
    return this.kind === "source" ? this.source : this.page;
  }
}

/** Now, ms since the Unix epoch, on the clock that frames are stamped with. */
function epoch(): number {
  return performance.timeOrigin + performance.now();
}
