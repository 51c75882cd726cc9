import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "@/lib/api";
import { Feed } from "@/lib/feed";
import { duration, place } from "@/lib/format";
import { InView } from "@/lib/inview";
import { object } from "./fixtures";

describe("Feed", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const pages = (events: Api["events"]) => new Feed({ events } as Api);

  it("publishes at most ten times a second, and never loses the last", () => {
    const feed = pages(vi.fn());
    feed.open();
    const told = vi.fn();
    feed.view.subscribe(told);
    for (let seq = 1; seq <= 200; seq += 1) {
      feed.add(object(seq));
      vi.advanceTimersByTime(5);
    }
    vi.advanceTimersByTime(100);
    expect(told.mock.calls.length).toBeLessThanOrEqual(12);
    expect(feed.view.getSnapshot()).toMatchObject({ size: 200, entered: 200 });
    feed.close();
  });

  it("hands boxes over at once, past the throttle", () => {
    const feed = pages(vi.fn());
    const seen = vi.fn();
    feed.onDetection(seen);
    const data = { frame: { width: 1, height: 1 }, inferenceMs: 1, objects: [] };
    feed.add({ ...object(1), seq: null, kind: "detection", data });
    expect(seen).toHaveBeenCalledWith(data);
  });

  it("pages in what the server could not replay, and counts what is gone for good", async () => {
    const feed = pages(async (_, after) =>
      after === 1 ? { events: [object(2), object(3)], next: 3 } : { events: [object(5), object(7)], next: null },
    );
    feed.open();
    feed.add(object(1));
    feed.add(object(6));
    await feed.fill("s", 2, 5);
    feed.close();
    const view = feed.view.getSnapshot();
    expect(view.rows.map((row) => row.seq)).toEqual([6, 5, 3, 2, 1]);
    expect(view.forgotten).toBe(1);
  });
});

describe("InView", () => {
  const person = { box: [0, 0, 1, 1] as const, label: "person", confidence: 1 };

  it("holds the most that was seen at once over a missed frame, then lets go", () => {
    const view = new InView();
    view.see([person, person], 0);
    view.see([person, { ...person, label: "dog" }], 100);
    view.see([], 200);
    expect(view.chips(300)).toEqual([{ label: "person", count: 2 }, { label: "dog", count: 1 }]);
    expect(view.chips(1_000)).toEqual([]);
  });
});

describe("a place in a recording", () => {
  it.each([
    [3.4, "0:03"],
    [83, "1:23"],
    [3_723, "1:02:03"],
  ])("%d s is %s", (seconds, text) => expect(place(seconds)).toBe(text));
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [83, "1:23"],
    [3_723, "1:02:03"],
  ])("%d s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));
});
