import { type Latency, Readings, type TrendPoint } from "./readings";
import { rtpAdd } from "./rtp";

const SENT_FRAMES = 900;
/** Above this a match is a wrapped or reused timestamp, not a picture on its way. */
const PLAUSIBLE_MS = 30_000;

/**
 * Page-to-page latency: from the moment this page's encoder took a frame to the moment its returned picture is due on screen.
 * The lens, the camera's own delay and the monitor are not in it. Times are milliseconds since the Unix epoch.
 *
 * A returned picture's timestamp less `rtpOrigin` is its time on the session clock; a detection tells how far that is
 * from the publisher's own RTP time; and a worker logged when the frame with that RTP time left the encoder. Browsers
 * do not tell when each frame entered it (Chromium 156 gives no `captureTime` there), so its mean time a frame is added.
 */
export class Meter {
  /** False where the browser cannot show outgoing RTP times: then nothing is measured and nothing is invented. */
  supported = true;

  /** The encoder's mean time a frame lately, ms. */
  encodeMs = 0;

  private readonly sentAt = new Map<number, number>();
  private readonly readings = new Readings();
  private origin: number | null = null;
  private toSource: number | null = null;

  /** A frame with this RTP time left the encoder. */
  sent(rtp: number, at: number): void {
    this.sentAt.set(rtp, at);
    if (this.sentAt.size > SENT_FRAMES) {
      for (const oldest of this.sentAt.keys()) {
        this.sentAt.delete(oldest);
        break;
      }
    }
  }

  /** The returned track's RTP time of session time zero, from `attached`. */
  setOrigin(origin: number): void {
    this.origin = origin;
    this.toSource = null;
  }

  /** One detection: it knows the same frame on both clocks. */
  relate(rtpTime: number, sourceRtpTime: number): void {
    this.toSource = rtpAdd(sourceRtpTime, -rtpTime);
  }

  /** The picture with this RTP timestamp is due on screen at `at`; its latency, or null when it cannot be told. */
  shown(rtpTimestamp: number, at: number): number | null {
    if (this.origin === null || this.toSource === null) return null;
    const sentAt = this.sentAt.get(rtpAdd(rtpAdd(rtpTimestamp, -this.origin), this.toSource));
    if (sentAt === undefined) return null;
    if (at < sentAt || at - sentAt > PLAUSIBLE_MS) return null;
    const ms = at - sentAt + this.encodeMs;
    this.readings.add(at, ms);
    return ms;
  }

  /** Percentiles of the last three seconds, or null without a reading in them. */
  latency(now: number): Latency | null {
    return this.readings.latency(now);
  }

  /** See `Readings.tick`. */
  tick(now: number): readonly TrendPoint[] {
    return this.readings.tick(now);
  }

  /** A new peer connection: other timestamps on both ways. */
  restart(): void {
    this.sentAt.clear();
    this.readings.clear();
    this.encodeMs = 0;
    this.origin = null;
    this.toSource = null;
  }
}
