import { type Api, ApiError, type Health } from "./api";
import { backoffMs } from "./backoff";
import { Cell } from "./store";

const UNWELL_MS = 3_000;
const DEAF_MS = 10_000;

export type HealthView = { state: "asking" } | { state: "gone"; since: number } | { state: "ok"; health: Health };

/** Whether the server answers and which model it runs: asked once, and again for as long as it is gone or unwell. */
export class HealthWatch {
  readonly view = new Cell<HealthView>({ state: "asking" });
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly api: Api) {}

  ask = async (): Promise<void> => {
    this.stop();
    try {
      const health = await this.api.health();
      this.attempt = 0;
      this.view.set({ state: "ok", health });
      // A model that loads, or a disk that fills, is news again soon.
      const { detector, recogniser, problems } = health;
      const soon = !detector || recogniser?.loading || problems.length > 0;
      const wait = soon ? UNWELL_MS : recogniser?.name === "" ? DEAF_MS : null;
      if (wait !== null) this.timer = setTimeout(() => void this.ask(), wait);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const before = this.view.getSnapshot();
      this.view.set({ state: "gone", since: before.state === "gone" ? before.since : performance.now() });
      this.attempt += 1;
      this.timer = setTimeout(() => void this.ask(), backoffMs(this.attempt) + 500);
    }
  };

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
