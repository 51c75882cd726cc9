import { describe, expect, it } from "vitest";
import { backoffMs } from "@/lib/backoff";
import { vp8First, withSoundApart, withStartBitrate } from "@/lib/sdp";
import { parseMessage } from "@/lib/types";
import { type Pulse, Watchdog } from "@/lib/watchdog";

describe("backoff", () => {
  it("draws from the whole range under a ceiling that doubles from 0.5 s to 15 s", () => {
    const most = (attempt: number) => backoffMs(attempt, () => 1);
    expect([1, 2, 3, 4, 5, 6, 7, 500].map(most)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(backoffMs(9, () => 0)).toBe(0);
    expect(backoffMs(3, () => 0.25)).toBe(500);
  });
});

describe("Watchdog", () => {
  const watch = (pulses: Partial<Pulse>[]) => {
    const dog = new Watchdog();
    return pulses.map((pulse, i) => dog.judge({ now: i * 1_000, connection: "connected", framesDecoded: 1, framesSent: i, sourceStalled: false, ...pulse })).at(-1);
  };

  it("is content while pictures come, whatever the connection says", () => {
    expect(watch([{}, { framesDecoded: 2 }, { framesDecoded: 3, connection: "disconnected" }])).toBe("ok");
  });

  it("gives a disconnected peer two seconds to heal", () => {
    expect(watch([{}, { connection: "disconnected" }])).toBe("ok");
    expect(watch([{}, {}, { connection: "disconnected" }])).toBe("dead");
  });

  it("does not trust connected: two flat seconds are a stall, six are the end", () => {
    expect(watch([{}, {}, {}])).toBe("quiet");
    expect(watch([{}, {}, {}, {}, {}, {}, {}])).toBe("dead");
  });

  it("blames the camera when nothing goes out", () => {
    const still = { framesSent: 7 };
    expect(watch([still, still, still, still, still, still, still, still])).toBe("source");
  });

  it("judges a page that only looks by what the server says of the source", () => {
    const looking = { framesSent: null };
    expect(watch([looking, looking, looking])).toBe("quiet");
    const waiting = { ...looking, sourceStalled: true };
    expect(watch([waiting, waiting, waiting, waiting, waiting, waiting, waiting, waiting])).toBe("source");
    expect(watch([looking, looking, looking, looking, looking, looking, looking])).toBe("dead");
  });

  it("gives a failed connection up at once", () => {
    expect(watch([{ connection: "failed" }])).toBe("dead");
  });
});

describe("sdp", () => {
  it("has the picture wait for no sound: that is a stream of its own, wherever it stands", () => {
    const video = "m=video 9 X 96\r\na=msid:s v\r\n";
    const data = "m=application 9 X webrtc-datachannel\r\n";
    const audio = (stream: string) => `m=audio 9 X 111\r\na=mid:1\r\na=msid:${stream} a\r\n`;
    expect(withSoundApart(`v=0\r\n${audio("s")}${video}${data}`)).toBe(`v=0\r\n${audio("s-sound")}${video}${data}`);
    expect(withSoundApart(`v=0\r\n${video}${data}${audio("s")}`)).toBe(`v=0\r\n${video}${data}${audio("s-sound")}`);
    expect(withSoundApart(video)).toBe(video);
  });

  it("adds a start bitrate to the first codec, with or without parameters of its own", () => {
    const plain = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";
    expect(withStartBitrate(plain, 1_800)).toContain("a=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1800\r\n");
    const some = "m=video 9 X 102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n";
    expect(withStartBitrate(some, 900)).toContain("a=fmtp:102 packetization-mode=1;x-google-start-bitrate=900\r\n");
    expect(withStartBitrate("v=0\r\n", 900)).toBe("v=0\r\n");
  });

  it("puts VP8 first and loses nothing", () => {
    const codecs = ["video/H264", "video/rtx", "video/VP8", "video/red"].map((mimeType) => ({ mimeType }));
    expect(vp8First(codecs).map(({ mimeType }) => mimeType)).toEqual(["video/VP8", "video/H264", "video/rtx", "video/red"]);
  });
});

describe("parseMessage", () => {
  it("tells events from control messages", () => {
    expect(parseMessage('{"kind":"metric","data":{}}')).toMatchObject({ kind: "metric" });
    expect(parseMessage('{"type":"gap","from":1,"to":2}')).toMatchObject({ type: "gap" });
  });

  it.each(["", "[", "null", "3", "{}", '{"kind":"novelty","data":{}}', '{"kind":"object","data":{"truncated":true}}'])("passes over %j", (text) => {
    expect(parseMessage(text)).toBeNull();
  });

  it("passes over binary", () => {
    expect(parseMessage(new ArrayBuffer(4))).toBeNull();
  });
});
