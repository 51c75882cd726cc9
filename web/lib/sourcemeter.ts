import { ServerClock } from "./clock";
import { type Latency, Readings, type TrendPoint } from "./readings";
import { rtpAdd, rtpDiff } from "./rtp";

const RTP_HZ = 90_000;
/** Beyond this the clocks were set while we looked, or a timestamp is of another connection. */
const PLAUSIBLE_MS = 60_000;

/**
 * Source-to-screen latency of a picture that the server itself has: from the moment its clock gives to the frame, to the
 * moment it is due on this screen. An estimate: both wall clocks are in it, so it is off by at most `errorMs`.
 */
export class SourceMeter {
  /** False where the browser tells no RTP timestamp of shown pictures. */
  supported = true;
  readonly clock = new ServerClock();

  private readonly readings = new Readings();
  private rtpOrigin: number | null = null;
  private clockOrigin: number | null = null;
  private frame: { mediaTime: number; rtpTime: number } | null = null;

  /** From `attached`: the track's RTP time, and the server's wall clock (Unix seconds), of media time zero. */
  setOrigin(rtpOrigin: number | null, clockOrigin: number | null): void {
    this.rtpOrigin = rtpOrigin;
    this.clockOrigin = clockOrigin;
    this.frame = null;
  }

  /** One detection, which knows one frame on both clocks: near it, RTP time that has wrapped is told right. */
  relate(mediaTime: number, rtpTime: number): void {
    this.frame = { mediaTime, rtpTime };
  }

  /** The picture with this RTP timestamp is due on screen at `at` (ms since the Unix epoch); its latency, or null. */
  shown(rtpTimestamp: number, at: number): number | null {
    const { rtpOrigin, clockOrigin, frame } = this;
    const clock = this.clock.estimate();
    if (rtpOrigin === null || clockOrigin === null || !frame || !clock) return null;
    const mediaTime = frame.mediaTime + rtpDiff(rtpAdd(rtpTimestamp, -rtpOrigin), frame.rtpTime) / RTP_HZ;
    const ms = at - ((clockOrigin + mediaTime) * 1_000 - clock.offsetMs);
    // The clocks' error may make a short way look negative: that much is no fault.
    if (ms < -clock.errorMs || ms > PLAUSIBLE_MS) return null;
    this.readings.add(at, Math.max(0, ms));
    return Math.max(0, ms);
  }

  latency(now: number): Latency | null {
    return this.readings.latency(now);
  }

  /** See `Readings.tick`. */
  tick(now: number): readonly TrendPoint[] {
    return this.readings.tick(now);
  }

  restart(): void {
    this.readings.clear();
    this.setOrigin(null, null);
  }
}
