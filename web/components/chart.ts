import type { TrendPoint } from "@/lib/readings";

/** A point a second: one minute. */
export const POINTS = 60;

/** The scale's top is never below this, so that a few milliseconds of noise do not look like a mountain. */
const TOPS = [100, 200, 300, 400, 600, 800, 1_000, 2_000, 4_000, 6_000, 10_000, 20_000, 40_000, 60_000] as const;

/** The round number, ms, at the top of a scale that holds all points. */
export function scaleTop(points: readonly TrendPoint[]): number {
  const most = Math.max(0, ...points.map(({ p95 }) => p95));
  return TOPS.find((top) => top >= most) ?? TOPS[TOPS.length - 1] as number;
}

/** Where point `i` of `count` is from the left, 0 to 1: the newest is at the right end. */
export function placeX(i: number, count: number): number {
  return 1 - (count - 1 - i) / (POINTS - 1);
}

/** The index of the point nearest to `x` (0 to 1), or null where there is none. */
export function nearest(x: number, count: number): number | null {
  const index = Math.round(count - 1 - (1 - x) * (POINTS - 1));
  return index >= 0 && index < count ? index : null;
}

/** An SVG path through the points, in a box of 100 x 100. */
export function path(values: readonly number[], top: number): string {
  return values
    .map((value, i) => `${i ? "L" : "M"}${(placeX(i, values.length) * 100).toFixed(2)} ${(100 - (value / top) * 100).toFixed(2)}`)
    .join("");
}
