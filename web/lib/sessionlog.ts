import { type Api, ApiError } from "./api";
import { type FeedEvent, isFeedEvent } from "./events";
import { type Fault, faultOf } from "./faults";
import { Cell } from "./store";
import type { Artifact } from "./types";

const SPAN = 200;
const ENOUGH = 40;
const MAX_REQUESTS = 6;
const SNAPSHOTS = 50;
const KINDS = ["object", "session", "error"] as const;

export interface LogView {
  sessionId: string | null;
  /** Newest first. */
  rows: readonly FeedEvent[];
  /** The last seq that was there when it was opened; null before. */
  newest: number | null;
  /** Pictures that somebody took, as the server lists them; empty until it has said so. */
  snapshots: readonly Artifact[];
  /** Films that were made of it. */
  films: readonly Artifact[];
  busy: boolean;
  /** True when there is nothing older. */
  complete: boolean;
  fault: Fault | null;
}

const EMPTY: LogView = { sessionId: null, rows: [], newest: null, snapshots: [], films: [], busy: false, complete: false, fault: null };

/**
 * The stored events of one session over REST, newest first. The server pages upwards only; since seqs have no gaps, a
 * page further back is the span of seqs before the oldest that is known.
 */
export class SessionLog {
  readonly view = new Cell<LogView>(EMPTY);
  private oldest = 0;
  private asked: AbortController | null = null;

  constructor(private readonly api: Api) {}

  /** @param seq the session's last stored event */
  open(sessionId: string, seq: number): void {
    this.close();
    this.oldest = seq + 1;
    this.view.set({ ...EMPTY, sessionId, newest: seq, complete: seq === 0 });
    void this.older();
    void this.pictures(sessionId);
  }

  close(): void {
    this.asked?.abort();
    this.asked = null;
    this.view.set(EMPTY);
  }

  /** Go further back until there is something to read. */
  older = async (): Promise<void> => {
    const { sessionId, busy, complete } = this.view.getSnapshot();
    if (sessionId === null || busy || complete) return;
    const asked = (this.asked = new AbortController());
    const publish = (change: Partial<LogView>) => {
      if (!asked.signal.aborted) this.view.set({ ...this.view.getSnapshot(), ...change });
    };
    publish({ busy: true, fault: null });
    try {
      let found = 0;
      for (let n = 0; n < MAX_REQUESTS && found < ENOUGH && this.oldest > 1 && !asked.signal.aborted; n += 1) {
        const rows = await this.span(sessionId, Math.max(0, this.oldest - 1 - SPAN), this.oldest);
        if (asked.signal.aborted) return;
        this.oldest = Math.max(1, this.oldest - SPAN);
        found += rows.length;
        publish({ rows: [...this.view.getSnapshot().rows, ...rows] });
      }
      publish({ complete: this.oldest <= 1 });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      publish({ fault: faultOf(error, "watch") });
    } finally {
      publish({ busy: false });
    }
  };

  private async pictures(sessionId: string): Promise<void> {
    // Decoration beside the events: when it fails, so will they, and they say why.
    const listed = (kind: "snapshot" | "film") => this.api.artifacts(sessionId, kind, SNAPSHOTS).catch(() => []);
    const [snapshots, films] = await Promise.all([listed("snapshot"), listed("film")]);
    const view = this.view.getSnapshot();
    if (view.sessionId === sessionId) this.view.set({ ...view, snapshots, films });
  }

  /** Rows with `after` < seq < `before`, newest first. */
  private async span(sessionId: string, after: number, before: number): Promise<FeedEvent[]> {
    const { events } = await this.api.events(sessionId, after, SPAN, KINDS);
    return events.filter((event): event is FeedEvent => isFeedEvent(event) && event.seq !== null && event.seq < before).reverse();
  }
}
