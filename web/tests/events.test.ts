import { describe, expect, it } from "vitest";
import { EventRing, SeqLog } from "@/lib/events";
import { object, session } from "./fixtures";

describe("SeqLog", () => {
  it("accepts each seq once", () => {
    const log = new SeqLog();
    expect([1, 2, 2, 1, 3].map((seq) => log.accept(seq))).toEqual([true, true, false, false, true]);
    expect(log.highest).toBe(3);
  });

  it("accepts what a gap left out when it comes later, once", () => {
    const log = new SeqLog();
    log.accept(1);
    log.accept(6);
    expect([4, 4, 2, 3, 5, 5, 6].map((seq) => log.accept(seq))).toEqual([true, false, true, true, true, false, false]);
  });
});

describe("EventRing", () => {
  it("drops what was delivered twice", () => {
    const ring = new EventRing();
    expect(ring.add(object(1))).toBe(true);
    expect(ring.add(object(1))).toBe(false);
    expect(ring.size).toBe(1);
  });

  it("keeps live-only events, which have no seq", () => {
    const ring = new EventRing();
    ring.add({ ...session(1, "live"), seq: null });
    ring.add({ ...session(1, "live"), seq: null });
    expect(ring.size).toBe(2);
  });

  it("does not keep detections and metrics as rows, but knows their seqs", () => {
    const ring = new EventRing();
    ring.add({ ...object(1), kind: "detection", data: { frame: { width: 1, height: 1 }, inferenceMs: 1, objects: [] } });
    expect(ring.size).toBe(0);
    expect(ring.seqs.highest).toBe(1);
  });

  it("puts late events where they belong", () => {
    const ring = new EventRing();
    for (const seq of [1, 4, 2, 5, 3]) ring.add(object(seq));
    expect(ring.newest(10).map((row) => row.seq)).toEqual([5, 4, 3, 2, 1]);
  });

  it("holds at most its capacity and counts what it forgot", () => {
    const ring = new EventRing(100);
    for (let seq = 1; seq <= 1_000; seq += 1) ring.add(object(seq));
    expect(ring.size).toBeLessThanOrEqual(100);
    expect(ring.size + ring.forgotten).toBe(1_000);
    expect(ring.newest(1)[0]?.seq).toBe(1_000);
  });
});
