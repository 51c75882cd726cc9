import { describe, expect, it } from "vitest";
import { Meter } from "@/lib/meter";
import { rtpAdd, rtpDiff } from "@/lib/rtp";

describe("rtp arithmetic", () => {
  it("adds modulo 2^32, in both directions", () => {
    expect(rtpAdd(2 ** 32 - 1, 2)).toBe(1);
    expect(rtpAdd(1, -2)).toBe(2 ** 32 - 1);
  });

  it("subtracts the shorter way round", () => {
    expect(rtpDiff(5, 2 ** 32 - 5)).toBe(10);
    expect(rtpDiff(2 ** 32 - 5, 5)).toBe(-10);
  });
});

describe("Meter", () => {
  it("matches a returned picture with the frame that was sent, over wraps of both clocks", () => {
    const meter = new Meter();
    const origin = 2 ** 32 - 3_000; // the returned track wraps after one frame
    const source = 2 ** 32 - 4_500; // so does the camera's
    meter.setOrigin(origin);
    meter.sent(source, 10_000);
    meter.sent(rtpAdd(source, 9_000), 10_100);
    meter.relate(0, source);
    expect(meter.shown(origin, 10_080)).toBe(80);
    expect(meter.shown(rtpAdd(origin, 9_000), 10_170)).toBe(70);
    expect(meter.latency(10_200)).toEqual({ p50: 80, p95: 80, samples: 2 });
  });

  it("counts the encoder's own time in", () => {
    const meter = new Meter();
    meter.setOrigin(0);
    meter.relate(0, 0);
    meter.encodeMs = 12;
    meter.sent(1, 1_000);
    expect(meter.shown(1, 1_050)).toBe(62);
  });

  it("measures nothing for a picture that it cannot place", () => {
    const meter = new Meter();
    meter.sent(1_000, 10_000);
    expect(meter.shown(1_000, 10_050)).toBeNull(); // no origin yet
    meter.setOrigin(0);
    expect(meter.shown(1_000, 10_050)).toBeNull(); // no detection yet
    meter.relate(500, 500);
    expect(meter.shown(999, 10_050)).toBeNull(); // no such frame was sent
    expect(meter.shown(1_000, 9_999)).toBeNull(); // before it was sent
    expect(meter.latency(10_050)).toBeNull();
  });

  it("forgets readings after three seconds, so that a stall shows no old number", () => {
    const meter = new Meter();
    meter.setOrigin(0);
    meter.relate(0, 0);
    meter.sent(1, 1_000);
    meter.shown(1, 1_050);
    expect(meter.latency(3_000)?.p50).toBe(50);
    expect(meter.latency(4_100)).toBeNull();
    expect(meter.tick(4_100)).toEqual([]);
  });

  it("bounds what it remembers of sent frames", () => {
    const meter = new Meter();
    meter.setOrigin(0);
    meter.relate(0, 0);
    for (let rtp = 0; rtp < 2_000; rtp += 1) meter.sent(rtp, rtp);
    expect(meter.shown(0, 2_001)).toBeNull();
    expect(meter.shown(1_999, 2_001)).toBe(2);
  });

  it("starts over with a new connection", () => {
    const meter = new Meter();
    meter.setOrigin(0);
    meter.relate(0, 0);
    meter.sent(1, 1_000);
    meter.restart();
    expect(meter.shown(1, 1_050)).toBeNull();
  });
});
