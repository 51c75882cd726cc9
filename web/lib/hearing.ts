import type { Feed } from "./feed";
import type { Numbers } from "./numbers";
import type { Control, ErrorBody, ServerState, VedetteEvent } from "./types";

export interface Listener {
  /** The server has the data channel, and says where the session stands. */
  onAttached(state: ServerState): void;
  /** The session changed its state; told once, however often it comes. */
  onState(state: ServerState, reason: string | null): void;
  onFatal(error: ErrorBody): void;
}

/** Takes what comes over the data channels to where it belongs: events to the feed, numbers to the numbers. */
export class Hearing {
  constructor(
    private readonly feed: Feed,
    private readonly numbers: Numbers,
    private readonly listener: Listener,
  ) {}

  /**
   * @param sessionId the session that it came from
   * @param mid the returned picture's media id, null before the answer
   */
  take(message: VedetteEvent | Control, sessionId: string, mid: string | null): void {
    if ("kind" in message) this.event(message);
    else this.control(message, sessionId, mid);
  }

  private event(event: VedetteEvent): void {
    if (event.kind === "metric") this.numbers.heard(event.data);
    if (event.kind === "detection") this.numbers.detected(event.data, event.mediaTime);
    const isNew = this.feed.add(event);
    if (isNew && event.kind === "session") this.listener.onState(event.data.state, event.data.reason ?? null);
  }

  private control(message: Control, sessionId: string, mid: string | null): void {
    switch (message.type) {
      case "attached":
        this.numbers.setOrigin(mid === null ? undefined : message.rtpOrigin?.[mid], message.clockOrigin);
        this.listener.onAttached(message.state);
        break;
      case "pong":
        this.numbers.pong(message.id, message.at);
        break;
      case "dropped":
        this.numbers.dropped(message.what, message.count);
        break;
      case "gap":
        // The feed says how many are missing when this fails too.
        this.feed.fill(sessionId, message.from, message.to).catch(() => undefined);
        break;
      case "error":
        if (message.fatal) this.listener.onFatal(message.error);
        break;
    }
  }
}
