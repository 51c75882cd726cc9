const QUIET_MS = 2_000;
const DEAD_MS = 6_000;

export interface Pulse {
  now: number;
  connection: RTCPeerConnectionState;
  framesDecoded: number;
  framesSent: number;
}

/** `camera`: nothing goes out; `quiet`: nothing comes back though frames go out; `dead`: make a new connection. */
export type Verdict = "ok" | "camera" | "quiet" | "dead";

/**
 * Judges a connection by the frames that it moves, since its own word cannot be trusted: `connected` may lie, and
 * `disconnected` often heals. Start it at the first frame.
 */
export class Watchdog {
  private decoded = { count: -1, at: 0 };
  private sent = { count: -1, at: 0 };

  judge({ now, connection, framesDecoded, framesSent }: Pulse): Verdict {
    if (framesDecoded !== this.decoded.count) this.decoded = { count: framesDecoded, at: now };
    if (framesSent !== this.sent.count) this.sent = { count: framesSent, at: now };
    if (connection === "failed" || connection === "closed") return "dead";
    const silence = now - this.decoded.at;
    if (silence < QUIET_MS) return "ok";
    if (connection === "disconnected") return "dead";
    // Sent counts stop only when the camera does: the encoder goes on into a dead network.
    if (now - this.sent.at >= QUIET_MS) return "camera";
    return silence >= DEAD_MS ? "dead" : "quiet";
  }
}
