import type { Api } from "./api";
import { EventRing, type FeedEvent, isFeedEvent } from "./events";
import { type Chip, InView } from "./inview";
import { Cell, Throttle } from "./store";
import { Transcript } from "./transcript";
import type { DetectionData, VedetteEvent } from "./types";

const UI_INTERVAL_MS = 100;
const SHOWN_ROWS = 400;
const PAGE = 500;
const SWEEP_MS = 500;

export interface FeedView {
  /** Newest first. */
  rows: readonly FeedEvent[];
  /** How many are kept; `rows` is the newest part. */
  size: number;
  forgotten: number;
  chips: readonly Chip[];
  /** Objects that entered since the session began. */
  entered: number;
}

const EMPTY: FeedView = { rows: [], size: 0, forgotten: 0, chips: [], entered: 0 };

/** Events as the page shows them, published at most ten times a second; boxes go to `onDetection` without React. */
export class Feed {
  readonly view = new Cell<FeedView>(EMPTY);
  readonly transcript = new Transcript();
  private ring = new EventRing();
  private inView = new InView();
  private entered = 0;
  /** Rows changed since they were published. */
  private stale = false;
  private readonly watchers = new Set<(data: DetectionData) => void>();
  private readonly publisher = new Throttle(() => this.publish(), UI_INTERVAL_MS);
  private sweep: ReturnType<typeof setInterval> | null = null;

  constructor(private readonly api: Api) {}

  /** The last seq, to resume after. */
  get seq(): number {
    return this.ring.seqs.highest;
  }

  open(): void {
    this.ring = new EventRing();
    this.inView = new InView();
    this.entered = 0;
    this.view.set(EMPTY);
    this.transcript.open();
    // Chips fade when detections stop, so they need a clock of their own.
    this.sweep ??= setInterval(this.publisher.poke, SWEEP_MS);
  }

  /** No more events; the rows stay for reading. */
  close(): void {
    if (this.sweep !== null) clearInterval(this.sweep);
    this.sweep = null;
    this.publisher.cancel();
    this.transcript.close();
    this.inView = new InView();
    this.publish();
  }

  /** True when the event is new. */
  add(event: VedetteEvent): boolean {
    if (!this.ring.add(event)) return false;
    this.transcript.add(event);
    if (isFeedEvent(event)) this.stale = true;
    if (event.kind === "detection") {
      this.inView.see(event.data.objects, performance.now());
      for (const watcher of this.watchers) watcher(event.data);
    }
    if (event.kind === "object" && event.data.phase === "entered") this.entered += 1;
    if (event.kind !== "metric") this.publisher.poke();
    return true;
  }

  onDetection(watcher: (data: DetectionData) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** The server could not replay these from memory: page them in. What retention removed stays missing, and is counted. */
  async fill(sessionId: string, from: number, to: number): Promise<void> {
    let after = from - 1;
    let found = 0;
    while (after < to) {
      const { events, next } = await this.api.events(sessionId, after, PAGE);
      const wanted = events.filter((event) => event.seq !== null && event.seq <= to);
      for (const event of wanted) this.add(event);
      found += wanted.length;
      if (next === null || next <= after || events.length === 0) break;
      after = next;
    }
    this.ring.forgotten += Math.max(0, to - from + 1 - found);
    this.publisher.poke();
  }

  private publish(): void {
    const before = this.view.getSnapshot();
    const chips = this.inView.chips(performance.now());
    const { size, forgotten } = this.ring;
    this.view.set({
      // The same arrays when nothing changed let React skip the lists.
      rows: this.stale ? this.ring.newest(SHOWN_ROWS) : before.rows,
      chips: sameChips(chips, before.chips) ? before.chips : chips,
      size,
      forgotten,
      entered: this.entered,
    });
    this.stale = false;
  }
}

function sameChips(a: readonly Chip[], b: readonly Chip[]): boolean {
  return a.length === b.length && a.every((chip, i) => chip.label === b[i]?.label && chip.count === b[i]?.count);
}
