const KEPT = 10;
const MAX_OPEN = 8;

export interface ClockEstimate {
  /** Server's wall clock less this page's, ms. */
  offsetMs: number;
  /** Half of the round trip: the offset cannot be further off than this. */
  errorMs: number;
}

/**
 * How far the server's wall clock is from this page's, from pings (RFC 5905, section 8, with one server timestamp): the
 * quickest of the last ten counts, since whatever delays an answer makes the estimate worse and never better.
 */
export class ServerClock {
  private readonly open = new Map<string, number>();
  private readonly answers: { offsetMs: number; errorMs: number }[] = [];
  private number = 0;

  /** The id of a ping that leaves now. @param now ms since the Unix epoch */
  ping(now: number): string {
    const id = `p${(this.number += 1)}`;
    this.open.set(id, now);
    for (const oldest of this.open.keys()) {
      if (this.open.size <= MAX_OPEN) break;
      this.open.delete(oldest);
    }
    return id;
  }

  /** @param at the server's wall clock, Unix seconds */
  pong(id: string | undefined, at: number, now: number): void {
    const sent = id === undefined ? undefined : this.open.get(id);
    if (id === undefined || sent === undefined || now < sent) return;
    this.open.delete(id);
    this.answers.push({ offsetMs: at * 1_000 - (sent + now) / 2, errorMs: (now - sent) / 2 });
    if (this.answers.length > KEPT) this.answers.shift();
  }

  /** Null before the first answer. */
  estimate(): ClockEstimate | null {
    return this.answers.reduce<ClockEstimate | null>((best, each) => (best && best.errorMs <= each.errorMs ? best : each), null);
  }
}
