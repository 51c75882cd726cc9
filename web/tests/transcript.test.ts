import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError } from "@/lib/api";
import { parseHealth } from "@/lib/healthreport";
import { fault } from "@/lib/faults";
import { silenceOf } from "@/lib/silence";
import { lineOf, marked, Transcript } from "@/lib/transcript";
import { TranscriptLog } from "@/lib/transcriptlog";
import { parseMessage } from "@/lib/types";
import { object, said, speech } from "./fixtures";

/** A transcript whose words begin at `start` and follow each other, heard up to `end`. */
function heard(seq: number | null, text: string, start: number, end: number, at = 1_000 + end) {
  const words = text.split(" ").filter(Boolean).map((each, i) => word(each, start + i * 0.2));
  return said(seq, text, { at, mediaTime: end, data: { ...said(seq, text).data, words } });
}

const word = (text: string, start: number, probability = 1) => ({ text, start, end: start + 0.2, probability });

describe("Transcript", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function open() {
    const transcript = new Transcript();
    transcript.open();
    const view = () => {
      vi.advanceTimersByTime(150);
      return transcript.view.getSnapshot();
    };
    return { transcript, view, texts: () => view().lines.map(({ text }) => text) };
  }

  const texts = ({ partials }: { partials: readonly { text: string }[] }) => partials.map(({ text }) => text);

  it("shows the newest partial until its final comes, and keeps that", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "and", 10, 10.4));
    transcript.add(heard(null, "and so", 10, 10.8));
    expect(view()).toMatchObject({ partials: [{ text: "and so" }], lines: [] });
    transcript.add(heard(3, "And so.", 10.1, 11));
    expect(view()).toMatchObject({ partials: [], lines: [{ text: "And so.", seq: 3 }] });
    transcript.close();
  });

  it("keeps a line's identity from its first words on, so that it is not drawn anew each time", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "and", 10, 10.4));
    const id = view().partials[0]?.id;
    transcript.add(heard(null, "and so", 10.1, 10.8));
    expect(view().partials).toMatchObject([{ id, text: "and so" }]);
    transcript.close();
  });

  it("takes a shown partial back with an empty final, and with an empty partial", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "hm", 10, 10.4));
    transcript.add(said(null, "", { mediaTime: 11, data: { ...said(null, "").data, final: true } }));
    expect(view()).toMatchObject({ partials: [], lines: [] });
    transcript.add(heard(null, "hm", 12, 12.4));
    transcript.add(heard(null, "", 12, 12.8));
    expect(view()).toMatchObject({ partials: [], lines: [] });
    transcript.close();
  });

  it("takes only its own partial back with an empty final that is told while somebody speaks again", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "hm", 10, 10.4));
    transcript.add(heard(null, "next", 12, 12.4));
    transcript.add(said(null, "", { mediaTime: 11, data: { ...said(null, "").data, final: true } }));
    expect(texts(view())).toEqual(["next"]);
    transcript.close();
  });

  it("passes over partials that arrive after what replaced them: live events overtake each other", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "and so my", 10, 11));
    transcript.add(heard(null, "and", 10, 10.4));
    expect(texts(view())).toEqual(["and so my"]);
    transcript.add(heard(3, "And so my fellow.", 10, 12));
    transcript.add(heard(null, "and so my fell", 10, 11.5));
    expect(view().partials).toEqual([]);
    transcript.close();
  });

  it("lets the next utterance begin a line of its own while the one before waits for its final", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "my fellow americans", 10, 12));
    transcript.add(heard(null, "ask", 13.1, 13.4));
    transcript.add(heard(null, "ask not", 13, 13.8));
    expect(texts(view())).toEqual(["my fellow americans", "ask not"]);
    transcript.add(heard(3, "My fellow Americans.", 10, 12));
    expect(view()).toMatchObject({ partials: [{ text: "ask not" }], lines: [{ text: "My fellow Americans." }] });
    transcript.add(heard(null, "my fellow americas", 10, 11.6));
    expect(texts(view())).toEqual(["ask not"]);
    transcript.close();
  });

  it("puts a partial that is late, of an utterance that began earlier, before the others", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "ask not", 13, 13.8));
    transcript.add(heard(null, "my fellow", 10, 11));
    expect(texts(view())).toEqual(["my fellow", "ask not"]);
    transcript.close();
  });

  it("ends every utterance that a final was joined from", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "one", 10, 11));
    transcript.add(heard(null, "two", 12, 13));
    transcript.add(heard(null, "three", 14, 15));
    transcript.add(heard(3, "One. Two.", 10, 13));
    expect(view()).toMatchObject({ partials: [{ text: "three" }], lines: [{ text: "One. Two." }] });
    transcript.close();
  });

  it("parts the line of somebody who never pauses where the server cut it", () => {
    const { transcript, view } = open();
    const count = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => word(` w${from + i}`, from + i));
    const text = (from: number, to: number) => count(from, to).map((each) => each.text).join("").trim();
    const long = (seq: number | null, from: number, to: number) =>
      said(seq, text(from, to), { mediaTime: to + 0.0004, data: { ...said(seq, text(from, to)).data, words: count(from, to) } });
    transcript.add(long(null, 0, 20));
    transcript.add(long(null, 15, 21));
    expect(texts(view())).toEqual([text(0, 15), text(15, 21)]);
    transcript.add(long(3, 0, 15));
    expect(view()).toMatchObject({ partials: [{ text: text(15, 21) }], lines: [{ text: text(0, 15) }] });
    transcript.close();
  });

  it("follows an engine that gives partials no words: they go on with what is being said", () => {
    const { transcript, view } = open();
    transcript.add(said(null, "and", { mediaTime: 10 }));
    transcript.add(said(null, "and so", { mediaTime: 10.4 }));
    expect(texts(view())).toEqual(["and so"]);
    transcript.add(said(3, "And so.", { mediaTime: 11 }));
    transcript.add(said(null, "ask", { mediaTime: 13 }));
    expect(view()).toMatchObject({ partials: [{ text: "ask" }], lines: [{ text: "And so." }] });
    transcript.close();
  });

  it("does not take back a partial with finals of long ago that are told again", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "now", 113, 113.4, 2_000));
    transcript.add(heard(3, "Long ago.", 12, 13, 2_001));
    expect(view()).toMatchObject({ partials: [{ text: "now" }], lines: [{ text: "Long ago." }] });
    transcript.add(heard(5, "Now.", 113, 114, 2_002));
    transcript.add(heard(4, "Not so long ago.", 14, 15, 2_003));
    transcript.add(heard(null, "now", 113, 113.6, 2_004));
    expect(view().partials).toEqual([]);
    transcript.close();
  });

  it("tells whoever comes in the midst of it that somebody speaks", () => {
    const { transcript, view } = open();
    transcript.add(heard(null, "in the midst", 110, 111));
    expect(view().speaking).toBe(true);
    transcript.add(speech("stopped", 112));
    expect(view().speaking).toBe(false);
    transcript.add(heard(null, "in the midst of", 110, 111.4));
    expect(view().speaking).toBe(false);
    transcript.interrupt();
    transcript.add(heard(null, "again", 120, 121));
    expect(view().speaking).toBe(true);
    transcript.add(heard(4, "Again.", 120, 121));
    expect(view()).toMatchObject({ speaking: false, partials: [] });
    transcript.close();
  });

  it("puts lines that were paged in later where they belong", () => {
    const { transcript, texts } = open();
    for (const seq of [1, 9, 4, 6]) transcript.add(said(seq, `line ${seq}`));
    expect(texts()).toEqual(["line 1", "line 4", "line 6", "line 9"]);
    transcript.close();
  });

  it("says that somebody speaks, but not for ever when the word of the end is lost", () => {
    const { transcript, view } = open();
    transcript.add(speech("started", 5));
    expect(view().speaking).toBe(true);
    transcript.add(speech("stopped", 7));
    transcript.add(speech("started", 6));
    expect(view().speaking).toBe(false);
    transcript.add(speech("started", 8));
    transcript.add(said(null, "still", { at: 9 }));
    expect(view().speaking).toBe(true);
    vi.advanceTimersByTime(31_000);
    expect(view()).toMatchObject({ speaking: false, partials: [] });
    transcript.close();
  });

  it("tells when a line's first word was said by the wall clock, not when its event left", () => {
    const { transcript, view } = open();
    const seen = { frame: { width: 1, height: 1 }, inferenceMs: 1, objects: [] };
    transcript.add({ ...object(1), at: 1_000.1, mediaTime: 0, kind: "detection", data: seen });
    const data = { ...said(2, "Hi there.").data, words: [word("Hi", 4), word("there.", 4.3)] };
    transcript.add(said(2, "", { at: 1_009, mediaTime: 5, data }));
    expect(view().lines[0]?.at).toBeCloseTo(1_004.1);
    transcript.close();
  });

  it("holds the newest lines and counts what it let go", () => {
    const { transcript, view } = open();
    for (let seq = 1; seq <= 600; seq += 1) transcript.add(said(seq, `${seq}`));
    expect(view()).toMatchObject({ forgotten: 100, lines: { length: 500 } });
    expect(view().lines.at(-1)?.text).toBe("600");
    transcript.close();
  });

  it("keeps the lines when the session is over, and begins empty with the next", () => {
    const { transcript, view } = open();
    transcript.add(said(1, "kept"));
    transcript.add(heard(null, "lost", 10, 11));
    transcript.close();
    expect(transcript.view.getSnapshot()).toMatchObject({ lines: [{ text: "kept" }], partials: [] });
    transcript.open();
    expect(view().lines).toEqual([]);
    transcript.close();
  });
});

describe("marked", () => {
  const of = (text: string, ...words: ReturnType<typeof word>[]) => marked({ text, words }).map((piece) => [piece.text, piece.probability]);

  it("marks the words that the recogniser doubts, and nothing else of the text", () => {
    expect(of("My fellow Americans.", word(" My", 0), word(" fellow", 1, 0.3), word(" Americans.", 2, 0.9))).toEqual([
      ["My ", null],
      ["fellow", 0.3],
      [" Americans.", null],
    ]);
  });

  it("finds a word again where it was said again, and passes over one that the text spells differently", () => {
    expect(of("no no", word("no", 0), word("NO", 1, 0.1), word("no", 2, 0.2))).toEqual([["no ", null], ["no", 0.2]]);
  });

  it("leaves a text without words as it is", () => expect(of("plain")).toEqual([["plain", null]]));
});

describe("lineOf", () => {
  it("falls back on the event's own time where media time is unknown", () => {
    expect(lineOf(said(1, "x", { at: 7, mediaTime: null }), Infinity).at).toBe(7);
  });
});

describe("parseMessage", () => {
  it("knows speech and words", () => {
    expect(parseMessage(JSON.stringify(speech("started", 1)))).toMatchObject({ kind: "speech" });
    expect(parseMessage(JSON.stringify(said(1, "x")))).toMatchObject({ kind: "transcript" });
  });
});

describe("TranscriptLog", () => {
  it("reads from the beginning, page by page, and what came since", async () => {
    const seen = { ...object(1), at: 90.1, mediaTime: 0, kind: "detection" as const, data: { frame: { width: 1, height: 1 }, inferenceMs: 1, objects: [] } };
    const events = vi.fn<Api["events"]>(async (_, after, __, kinds) =>
      kinds?.[0] === "detection" ? { events: [seen], next: null } :
      after === 0 ? { events: [said(2, "one"), said(5, "two", { at: 100, mediaTime: 5 })], next: 5 } : after === 5 ? { events: [said(9, "three")], next: null } : { events: [], next: null },
    );
    const log = new TranscriptLog({ events } as unknown as Api);
    log.open("s");
    await vi.waitFor(() => expect(log.view.getSnapshot().lines).toHaveLength(2));
    expect(log.view.getSnapshot()).toMatchObject({ busy: false, complete: false, lines: [{ text: "one" }, { text: "two", at: 95.1 }] });
    await log.more();
    expect(log.view.getSnapshot()).toMatchObject({ complete: true, lines: { length: 3 } });
    await log.more();
    expect(events.mock.calls.slice(1).map(([, after, , kinds]) => [after, kinds])).toEqual([0, 5, 9].map((after) => [after, ["transcript"]]));
    expect(log.view.getSnapshot().lines).toHaveLength(3);
  });

  it("says why it cannot read, and can be asked again", async () => {
    const events = vi.fn<Api["events"]>(async () => ({ events: [said(2, "one")], next: null }));
    events.mockRejectedValueOnce(new ApiError("server_gone", "", 0)).mockRejectedValueOnce(new ApiError("server_gone", "", 0));
    const log = new TranscriptLog({ events } as unknown as Api);
    log.open("s");
    await vi.waitFor(() => expect(log.view.getSnapshot().fault?.code).toBe("server_gone"));
    await log.more();
    expect(log.view.getSnapshot()).toMatchObject({ fault: null, lines: [{ text: "one" }] });
  });

  it("forgets the answer for a session that is not open any more", async () => {
    let answer: (page: Awaited<ReturnType<Api["events"]>>) => void = () => undefined;
    const log = new TranscriptLog({ events: () => new Promise((resolve) => (answer = resolve)) } as unknown as Api);
    log.open("a");
    log.close();
    answer({ events: [said(1, "late")], next: null });
    await Promise.resolve();
    expect(log.view.getSnapshot()).toMatchObject({ sessionId: null, lines: [] });
  });
});

describe("silence in words", () => {
  const on = { state: "on", name: "" } as const;
  const runs = { name: "whisper", loading: false, engine: "faster-whisper", reason: "", fallback: false };
  const of = (change: Partial<Parameters<typeof silenceOf>[0]>) => silenceOf({ kind: "camera", hears: "yes", microphone: on, recogniser: runs, ...change });

  it.each([
    ["nothing runs", of({ kind: null }), /demo has a voice/, null, false],
    ["an older server", of({ hears: "cannot" }), /older than this page/, null, true],
    ["a camera without it", of({ hears: "no" }), /was off when/, "restart", false],
    ["somebody's session without sound", of({ kind: "watch", hears: "no" }), /pictures alone/, null, false],
    ["a screen", of({ kind: "screen", hears: "no" }), /screen comes without sound/, null, false],
    ["switched off", of({ microphone: { state: "off" } }), /is off/, "open", false],
    ["a prompt", of({ microphone: { state: "asking" } }), /allow it/, null, false],
    ["refused", of({ microphone: { state: "failed", fault: fault("mic_denied") } }), /blocked/, "open", true],
    ["no recogniser", of({ recogniser: { ...runs, name: "", reason: "no model" } }), /no model/, null, true],
    ["a recogniser that loads", of({ recogniser: { ...runs, name: "", loading: true, reason: "loading" } }), /once it is there/, null, false],
    ["just silence", of({}), /Listening/, null, false],
    ["the demo", of({ kind: "demo", microphone: { state: "off" } }), /Listening/, null, false],
  ])("%s", (_, silence, text, action, trouble) => {
    expect(silence.text).toMatch(text);
    expect(silence).toMatchObject({ action, trouble });
  });
});

describe("the recogniser in /health", () => {
  it("is what its self-test says, null where there is no such test", () => {
    const check = { status: "degraded", model: "pocketsphinx-en", engine: "pocketsphinx", reason: "no other", fallback: true };
    expect(parseHealth({ checks: { recogniser: check } }).recogniser).toEqual({ name: "pocketsphinx-en", loading: false, engine: "pocketsphinx", reason: "no other", fallback: true });
    expect(parseHealth({ checks: { recogniser: { status: "ok", reason: "still loading" } } }).recogniser).toMatchObject({ name: "", loading: true });
    expect(parseHealth({ checks: { recogniser: { status: "degraded", reason: "no model" } } }).recogniser).toMatchObject({ name: "", loading: false, reason: "no model" });
    expect(parseHealth({ checks: {} }).recogniser).toBeNull();
  });
});
