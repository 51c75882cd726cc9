import type { DetectedObject } from "./types";

const HOLD_MS = 700;

export interface Chip {
  label: string;
  count: number;
}

/** "Now in view: 2 person": the most of each label seen at once lately, so that one missed frame does not flicker. */
export class InView {
  private readonly seen: { at: number; counts: Map<string, number> }[] = [];

  see(objects: readonly DetectedObject[], now: number): void {
    const counts = new Map<string, number>();
    for (const { label } of objects) counts.set(label, (counts.get(label) ?? 0) + 1);
    this.seen.push({ at: now, counts });
    this.forget(now);
  }

  /** Most numerous first, then by name. */
  chips(now: number): Chip[] {
    this.forget(now);
    const most = new Map<string, number>();
    for (const { counts } of this.seen) {
      for (const [label, count] of counts) most.set(label, Math.max(count, most.get(label) ?? 0));
    }
    return [...most]
      .map(([label, count]) => ({ label, count }))
      .sort((a, b) => b.count - a.count || a.label.localeCompare(b.label));
  }

  private forget(now: number): void {
    while (this.seen[0] && this.seen[0].at < now - HOLD_MS) this.seen.shift();
  }
}
