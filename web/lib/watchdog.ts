const QUIET_MS = 2_000;
const DEAD_MS = 6_000;

export interface Pulse {
  now: number;
  connection: RTCPeerConnectionState;
  framesDecoded: number;
  /** Null for a page that only looks. */
  framesSent: number | null;
  /** The server said that it gets no pictures either. */
  sourceStalled: boolean;
}

/** `source`: nothing goes in; `quiet`: nothing comes back though frames go in; `dead`: make a new connection. */
export type Verdict = "ok" | "source" | "quiet" | "dead";

/**
 * Judges a connection by the frames that it moves, since its own word cannot be trusted: `connected` may lie, and
 * `disconnected` often heals. Start it at the first frame.
 */
export class Watchdog {
  private decoded = { count: -1, at: 0 };
  private sent = { count: -1, at: 0 };

  judge({ now, connection, framesDecoded, framesSent, sourceStalled }: Pulse): Verdict {
    if (framesDecoded !== this.decoded.count) this.decoded = { count: framesDecoded, at: now };
    if (framesSent !== null && framesSent !== this.sent.count) this.sent = { count: framesSent, at: now };
    if (connection === "failed" || connection === "closed") return "dead";
    const silence = now - this.decoded.at;
    if (silence < QUIET_MS) return "ok";
    if (connection === "disconnected") return "dead";
    // Sent counts stop only when the camera does: the encoder goes on into a dead network.
    if (framesSent === null ? sourceStalled : now - this.sent.at >= QUIET_MS) return "source";
    return silence >= DEAD_MS ? "dead" : "quiet";
  }
}
