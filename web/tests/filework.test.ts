import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError, createApi } from "@/lib/api";
import { FileWork } from "@/lib/filework";
import type { SessionInfo } from "@/lib/types";
import type { MediaFound, Send } from "@/lib/upload";

const MEDIA: MediaFound = {
  format: "mov,mp4",
  duration: 30,
  video: { codec: "h264", width: 768, height: 432, fps: 15 },
  audio: { codec: "aac", rate: 48_000, channels: 1 },
};
const SESSION: SessionInfo = {
  sessionId: "s1",
  sourceId: "c1",
  pipelines: ["vision", "audio"],
  state: "live",
  reason: null,
  profile: "fast",
  overlay: "smooth",
  peers: 0,
  seq: 1,
  createdAt: 1,
  endedAt: null,
  mode: "batch",
  progress: { share: 0.5, duration: 30, framesDetected: 200, speed: 3 },
};
const FILE = new File(["x"], "door.mp4");
const OPTIONS = { mode: "batch", profile: "auto", film: true } as const;

/** A server that has the file and works through it; `over` ends the session. */
function server(media: MediaFound = MEDIA) {
  let session = SESSION;
  const removed: string[] = [];
  const api = {
    upload: vi.fn<Api["upload"]>(async (_file, onSent) => {
      onSent(0.5);
      return { sourceId: "c1", media };
    }),
    createSession: vi.fn<Api["createSession"]>(async () => ({ sessionId: "s1", iceServers: [] })),
    session: vi.fn<Api["session"]>(async () => session),
    artifacts: vi.fn<Api["artifacts"]>(async () => [{ artifactId: "a1", url: "/artifacts/a1" }]),
    events: vi.fn<Api["events"]>(async () => ({ events: [], next: null })),
    remove: vi.fn<Api["remove"]>(async (path) => {
      removed.push(path);
    }),
  };
  const over = (reason: string) => {
    session = { ...SESSION, state: "ended", reason, progress: null };
  };
  return { api: api as unknown as Api, calls: api, removed, over };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a file", () => {
  it("is sent, worked through with all that is in it, and taken away when its session is over", async () => {
    const { api, calls, removed, over } = server();
    const work = new FileWork(api);
    const states: string[] = [];
    work.view.subscribe(() => states.push(work.view.getSnapshot().state));
    expect(await work.open(FILE, OPTIONS)).toBe("s1");
    expect(calls.createSession.mock.calls[0]?.slice(0, 2)).toEqual([
      "c1",
      { pipelines: ["vision", "audio"], profile: "auto", mode: "batch", record: true },
    ]);
    await vi.advanceTimersByTimeAsync(600);
    expect(work.view.getSnapshot()).toMatchObject({ state: "running", session: { progress: { share: 0.5 } } });
    expect(removed).toEqual([]);
    over("source ended");
    await vi.advanceTimersByTimeAsync(600);
    expect(work.view.getSnapshot()).toMatchObject({ state: "done", film: { artifactId: "a1" }, problems: [] });
    expect(removed).toEqual(["/sources/c1"]);
    expect([...new Set(states)]).toEqual(["sending", "running", "done"]);
  });

  it("asks only for what the file has", async () => {
    const { api, calls } = server({ ...MEDIA, video: null });
    await new FileWork(api).open(FILE, OPTIONS);
    expect(calls.createSession.mock.calls[0]?.[1]).toEqual({ pipelines: ["audio"], profile: "auto", mode: "batch" });
  });

  it("is played without a film, and can be stopped: what was found is shown", async () => {
    const { api, calls, removed, over } = server();
    const work = new FileWork(api);
    await work.open(FILE, { ...OPTIONS, mode: "realtime" });
    expect(calls.createSession.mock.calls[0]?.[1]).not.toHaveProperty("record");
    await work.stop();
    over("stopped by a client");
    await vi.advanceTimersByTimeAsync(600);
    expect(removed).toEqual(["/sessions/s1", "/sources/c1"]);
    expect(work.view.getSnapshot()).toMatchObject({ state: "done", session: { reason: "stopped by a client" } });
  });

  it("that the server cannot read is told in words, with what works", async () => {
    const { api, calls, removed } = server();
    const details = { formats: ["mp4"], videoCodecs: ["h264"], audioCodecs: ["aac"] };
    calls.upload.mockRejectedValue(new ApiError("unsupported_media", "readable are mp4", 415, details));
    const work = new FileWork(api);
    expect(await work.open(FILE, OPTIONS)).toBeNull();
    expect(work.view.getSnapshot()).toMatchObject({ state: "failed", fault: { title: "This file cannot be read" }, works: details });
    work.clear();
    expect(work.view.getSnapshot()).toEqual({ state: "idle" });
    expect(removed).toEqual([]);
  });

  it("is not left on the server when no session comes of it, or when the page goes away", async () => {
    const { api, calls, removed } = server();
    calls.createSession.mockRejectedValueOnce(new ApiError("overloaded", "4 files are worked through", 503));
    const work = new FileWork(api);
    await work.open(FILE, OPTIONS);
    expect(work.view.getSnapshot()).toMatchObject({ state: "failed", fault: { code: "overloaded" }, works: null });
    expect(removed).toEqual(["/sources/c1"]);
    await work.open(FILE, OPTIONS);
    work.leave();
    expect(removed).toEqual(["/sources/c1", "/sources/c1"]);
  });

  it("goes on being followed when the server is away for a moment", async () => {
    const { api, calls, over } = server();
    const work = new FileWork(api);
    await work.open(FILE, OPTIONS);
    calls.session.mockRejectedValueOnce(new ApiError("server_gone", "", 0));
    over("source ended");
    await vi.advanceTimersByTimeAsync(600);
    expect(work.view.getSnapshot().state).toBe("running");
    await vi.advanceTimersByTimeAsync(600);
    expect(work.view.getSnapshot().state).toBe("done");
  });
});

describe("sending", () => {
  const sending = (sender: Send, gate?: () => Promise<void>) => createApi("http://vedette.test", undefined, gate, sender).upload(FILE, () => undefined, new AbortController().signal);

  it("is a form with kind, name and the file", async () => {
    const sender = vi.fn<Send>(async () => new Response(JSON.stringify({ sourceId: "c1", media: MEDIA }), { status: 201 }));
    expect((await sending(sender)).sourceId).toBe("c1");
    const [url, form] = sender.mock.calls[0] ?? [];
    expect(url).toBe("http://vedette.test/sources");
    expect([form?.get("kind"), form?.get("name"), (form?.get("file") as File).name]).toEqual(["upload", "door.mp4", "door.mp4"]);
  });

  it("rejects with the server's code and details, and goes on after signing in", async () => {
    const refused = JSON.stringify({ error: { code: "unsupported_media", message: "no", details: { formats: ["mp4"] } } });
    await expect(sending(async () => new Response(refused, { status: 415 }))).rejects.toMatchObject({ code: "unsupported_media", details: { formats: ["mp4"] } });
    const answers = [new Response(JSON.stringify({ error: { code: "unauthorized", message: "" } }), { status: 401 }), new Response('{"sourceId": "c2"}', { status: 201 })];
    const gate = vi.fn(async () => undefined);
    expect((await sending(async () => answers.shift() ?? new Response(null, { status: 500 }), gate)).sourceId).toBe("c2");
    expect(gate).toHaveBeenCalledOnce();
  });
});
