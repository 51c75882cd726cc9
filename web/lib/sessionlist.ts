import { type Api, ApiError } from "./api";
import { backoffMs } from "./backoff";
import { Cell } from "./store";
import type { SessionInfo } from "./types";

const FIRST = 30;
const MOST = 200;
const REFRESH_MS = 2_500;
const UNDO_MS = 5_000;

export interface SessionsView {
  /** `gone`: the server does not answer; what was known before is kept. */
  state: "loading" | "ok" | "gone";
  /** Newest first. */
  sessions: readonly SessionInfo[];
  more: boolean;
  /** Sessions that will be stopped unless somebody takes it back. */
  stopping: ReadonlySet<string>;
}

/** The sessions of the server, asked for while somebody looks; stopping one can be taken back for five seconds. */
export class SessionList {
  readonly view = new Cell<SessionsView>({ state: "loading", sessions: [], more: false, stopping: new Set() });
  private readonly pending = new Map<string, ReturnType<typeof setTimeout>>();
  private limit = FIRST;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private watched = false;

  constructor(private readonly api: Api) {}

  /** Ask now and go on asking. Returns how to stop. */
  watch(): () => void {
    this.watched = true;
    void this.refresh();
    return () => {
      this.watched = false;
      this.clear();
    };
  }

  refresh = async (): Promise<void> => {
    this.clear();
    let wait = REFRESH_MS;
    try {
      const { sessions, next } = await this.api.sessions(this.limit);
      this.attempt = 0;
      this.update({ state: "ok", sessions, more: next !== null && this.limit < MOST });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.attempt += 1;
      wait = backoffMs(this.attempt) + 500;
      this.update({ state: "gone" });
    }
    this.clear();
    if (this.watched) this.timer = setTimeout(() => void this.refresh(), wait);
  };

  /** One session, also one that is not in the list. Rejects with ApiError. */
  find(sessionId: string): Promise<SessionInfo> {
    return this.api.session(sessionId);
  }

  /** Older ones as well. */
  more = (): void => {
    this.limit = Math.min(MOST, this.limit * 2);
    void this.refresh();
  };

  /** End a session for everybody, a little later. */
  stop(sessionId: string): void {
    if (this.pending.has(sessionId)) return;
    this.pending.set(sessionId, setTimeout(() => void this.end(sessionId), UNDO_MS));
    this.update({});
  }

  undo = (sessionId: string): void => {
    clearTimeout(this.pending.get(sessionId));
    this.pending.delete(sessionId);
    this.update({});
  };

  /** The page goes away: whatever was to be stopped is stopped now. */
  flush(): void {
    for (const sessionId of this.pending.keys()) void this.end(sessionId);
  }

  private async end(sessionId: string): Promise<void> {
    clearTimeout(this.pending.get(sessionId));
    // It stays marked until the server has answered, so that the row does not look untouched in between.
    await this.api.remove(`/sessions/${sessionId}`).catch(() => undefined);
    this.pending.delete(sessionId);
    if (this.watched) await this.refresh();
    else this.update({});
  }

  private update(change: Partial<SessionsView>): void {
    this.view.set({ ...this.view.getSnapshot(), ...change, stopping: new Set(this.pending.keys()) });
  }

  private clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
