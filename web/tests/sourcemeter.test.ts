import { describe, expect, it } from "vitest";
import { ServerClock } from "@/lib/clock";
import { rtpAdd } from "@/lib/rtp";
import { SourceMeter } from "@/lib/sourcemeter";

describe("ServerClock", () => {
  it("takes the middle of the round trip, and half of it as the error", () => {
    const clock = new ServerClock();
    const id = clock.ping(1_000);
    clock.pong(id, 6.02, 1_040);
    expect(clock.estimate()).toEqual({ offsetMs: 5_000, errorMs: 20 });
  });

  it("keeps to the quickest answer of the last ten", () => {
    const clock = new ServerClock();
    clock.pong(clock.ping(0), 5.005, 10);
    for (let n = 1; n <= 9; n += 1) clock.pong(clock.ping(n * 1_000), n + 5.9, n * 1_000 + 400);
    expect(clock.estimate()?.errorMs).toBe(5);
    clock.pong(clock.ping(20_000), 25.9, 20_400);
    expect(clock.estimate()?.errorMs).toBe(200);
  });

  it("knows nothing before an answer, and takes none that it did not ask for", () => {
    const clock = new ServerClock();
    clock.pong("p9", 1, 1);
    clock.pong(undefined, 1, 1);
    expect(clock.estimate()).toBeNull();
  });
});

describe("SourceMeter", () => {
  function meter({ origin = 5_000, offsetS = 0 } = {}) {
    const made = new SourceMeter();
    const id = made.clock.ping(0);
    made.clock.pong(id, offsetS, 0);
    made.setOrigin(origin, 100 + offsetS);
    return made;
  }

  it("tells how old a picture is on this page's clock, however far the server's is off", () => {
    for (const offsetS of [0, 3_600, -7]) {
      const source = meter({ offsetS });
      source.relate(2, 180_000);
      // Media time 2.5 s, made at 102.5 s of this page's clock.
      expect(source.shown(5_000 + 225_000, 102_580)).toBeCloseTo(80);
    }
  });

  it("goes on over the wrap of RTP time", () => {
    const source = meter({ origin: 2 ** 32 - 1_000 });
    source.relate(50_000, (50_000 * 90_000) % 2 ** 32);
    const rtp = rtpAdd(2 ** 32 - 1_000, (50_000.1 * 90_000) % 2 ** 32);
    expect(source.shown(rtp, 50_100_100 + 60)).toBeCloseTo(60, 0);
  });

  it("estimates nothing without clock, origin and a frame to go by", () => {
    const source = new SourceMeter();
    expect(source.shown(0, 1)).toBeNull();
    source.setOrigin(0, null);
    source.relate(0, 0);
    source.clock.pong(source.clock.ping(0), 0, 0);
    expect(source.shown(0, 1)).toBeNull();
  });

  it("takes no picture from the future, nor one of another connection", () => {
    const source = meter();
    source.relate(0, 0);
    expect(source.shown(5_000, 99_000)).toBeNull();
    expect(source.shown(5_000, 200_000)).toBeNull();
  });
});
