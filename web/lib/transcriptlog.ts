import { type Api, ApiError } from "./api";
import { type Fault, faultOf } from "./faults";
import { Cell } from "./store";
import { ClockOrigin, type Line, lineOf } from "./transcript";
import type { VedetteEvent } from "./types";

const PAGE = 200;
const FIRST_SEEN = 20;

export interface TranscriptLogView {
  sessionId: string | null;
  /** Oldest first. */
  lines: readonly Line[];
  busy: boolean;
  /** True when everything that was there has been read. */
  complete: boolean;
  fault: Fault | null;
}

const EMPTY: TranscriptLogView = { sessionId: null, lines: [], busy: false, complete: false, fault: null };

/** What was said in one session, from its beginning, page by page over REST. */
export class TranscriptLog {
  readonly view = new Cell<TranscriptLogView>(EMPTY);
  private after = 0;
  private origin = new ClockOrigin();
  private asked = 0;

  constructor(private readonly api: Api) {}

  open(sessionId: string): void {
    this.close();
    this.view.set({ ...EMPTY, sessionId, busy: true });
    void this.first(sessionId);
  }

  close(): void {
    this.asked += 1;
    this.after = 0;
    this.origin = new ClockOrigin();
    this.view.set(EMPTY);
  }

  /** Words leave seconds after they were said, detections at once: a few of those tell when media time began. */
  private async first(sessionId: string): Promise<void> {
    const asked = (this.asked += 1);
    const seen = await this.api.events(sessionId, 0, FIRST_SEEN, ["detection"]).catch(() => null);
    if (asked !== this.asked) return;
    for (const event of seen?.events ?? []) this.origin.see(event);
    this.view.set({ ...this.view.getSnapshot(), busy: false });
    await this.more();
  }

  /** Read on; of a session that runs, also what came since. */
  more = async (): Promise<void> => {
    const before = this.view.getSnapshot();
    if (before.sessionId === null || before.busy) return;
    const asked = (this.asked += 1);
    this.view.set({ ...before, busy: true, fault: null });
    try {
      const { events, next } = await this.api.events(before.sessionId, this.after, PAGE, ["transcript"]);
      if (asked !== this.asked) return;
      const said = events.filter((event): event is Extract<VedetteEvent, { kind: "transcript" }> => event.kind === "transcript" && event.data.text !== "");
      for (const event of said) this.origin.see(event);
      this.after = Math.max(this.after, next ?? 0, ...events.map(({ seq }) => seq ?? 0));
      const lines = [...before.lines, ...said.map((event) => lineOf(event, this.origin.at))];
      this.view.set({ ...before, lines, busy: false, fault: null, complete: next === null || events.length === 0 });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (asked === this.asked) this.view.set({ ...before, busy: false, fault: faultOf(error, "watch") });
    }
  };
}
