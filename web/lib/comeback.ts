/** Something that is to be tried after a wait, or sooner: when the network is back, or somebody looks at the page again. */
export class Comeback {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private work: (() => void) | null = null;

  /** One at a time: what was planned before is forgotten. @param early whether news may shorten the wait */
  plan(waitMs: number, work: () => void, early: boolean): void {
    this.clear();
    this.work = work;
    this.timer = setTimeout(this.now, waitMs);
    if (!early) return;
    addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.nowIfVisible);
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = this.work = null;
    removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.nowIfVisible);
  }

  private readonly now = (): void => {
    const { work } = this;
    this.clear();
    work?.();
  };

  private readonly nowIfVisible = (): void => {
    if (document.visibilityState === "visible") this.now();
  };
}
