import type { VedetteEvent } from "./types";

const CAPACITY = 5_000;
const MAX_HOLES = 64;

/** What the feed shows: everything but boxes at frame rate and numbers once a second. */
export type FeedEvent = Extract<VedetteEvent, { kind: "object" | "session" | "error" }>;

export function isFeedEvent(event: VedetteEvent): event is FeedEvent {
  return event.kind === "object" || event.kind === "session" || event.kind === "error";
}

/**
 * Which stored events have been seen. Delivery is at least once and in order, except that a `gap` is filled later over
 * REST: so everything up to `highest` counts as seen, less the holes.
 */
export class SeqLog {
  highest = 0;
  private holes: { from: number; to: number }[] = [];

  /** True the first time a seq comes. */
  accept(seq: number): boolean {
    if (seq > this.highest) {
      if (seq > this.highest + 1) {
        this.holes = [...this.holes, { from: this.highest + 1, to: seq - 1 }].slice(-MAX_HOLES);
      }
      this.highest = seq;
      return true;
    }
    const hole = this.holes.find(({ from, to }) => from <= seq && seq <= to);
    if (!hole) return false;
    const rest = [
      { from: hole.from, to: seq - 1 },
      { from: seq + 1, to: hole.to },
    ].filter(({ from, to }) => from <= to);
    this.holes = this.holes.flatMap((other) => (other === hole ? rest : [other]));
    return true;
  }
}

/** The newest feed events in order of seq, at most `capacity`; older ones are on the server. */
export class EventRing {
  readonly seqs = new SeqLog();
  /** Events pushed out of the ring or lost on the way, as the server counted them. */
  forgotten = 0;
  private rows: FeedEvent[] = [];

  constructor(private readonly capacity: number = CAPACITY) {}

  /** Take an event in; false for one that was seen before. Live-only events (seq null) are never duplicates. */
  add(event: VedetteEvent): boolean {
    if (event.seq !== null && !this.seqs.accept(event.seq)) return false;
    if (!isFeedEvent(event)) return true;
    const last = this.rows[this.rows.length - 1];
    if (!last || event.seq === null || last.seq === null || event.seq > last.seq) {
      this.rows.push(event);
    } else {
      const { seq } = event;
      const index = this.rows.findIndex((row) => row.seq !== null && row.seq > seq);
      this.rows.splice(index, 0, event);
    }
    if (this.rows.length > this.capacity) {
      // In blocks: dropping one row per event would move 5,000 pointers each time.
      const block = Math.max(1, Math.floor(this.capacity / 10));
      this.rows.splice(0, block);
      this.forgotten += block;
    }
    return true;
  }

  /** The newest `count` rows, newest first, as a new array. */
  newest(count: number): readonly FeedEvent[] {
    return this.rows.slice(-count).reverse();
  }

  get size(): number {
    return this.rows.length;
  }
}
