import { describe, expect, it } from "vitest";
import { nearest, path, placeX, scaleTop } from "@/components/chart";

describe("chart", () => {
  it("has a round number at its top that holds every point", () => {
    expect(scaleTop([])).toBe(100);
    expect(scaleTop([{ p50: 20, p95: 130 }])).toBe(200);
    expect(scaleTop([{ p50: 1, p95: 1e9 }])).toBe(60_000);
  });

  it("keeps the newest at the right end", () => {
    expect(placeX(59, 60)).toBe(1);
    expect(placeX(0, 60)).toBe(0);
    expect(placeX(2, 3)).toBe(1);
  });

  it("finds the point under the pointer, and none where there is none", () => {
    expect(nearest(1, 10)).toBe(9);
    expect(nearest(0, 60)).toBe(0);
    expect(nearest(0.5, 10)).toBeNull();
  });

  it("draws higher values higher up", () => {
    expect(path([0, 100], 200)).toMatch(/^M98\.31 100\.00L100\.00 50\.00$/);
  });
});
