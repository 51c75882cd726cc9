import { describe, expect, it } from "vitest";
import { ApiError, createApi } from "@/lib/api";
import { toApiError } from "@/lib/apierror";
import { endedWords, environmentFault, fault, faultOf } from "@/lib/faults";
import { parseHealth } from "@/lib/healthreport";

const json = (body: unknown, init: ResponseInit = {}) => new Response(JSON.stringify(body), init);

function serverThat(answer: (path: string, init: RequestInit) => Response | Promise<Response>) {
  const calls: { path: string; method: string; body: unknown }[] = [];
  const api = createApi("http://vedette.test", async (input, init = {}) => {
    const path = String(input).replace("http://vedette.test", "");
    calls.push({ path, method: init.method ?? "GET", body: init.body ? JSON.parse(String(init.body)) : null });
    return answer(path, init);
  });
  return { api, calls };
}

describe("api", () => {
  it("makes a session as the contract says", async () => {
    const { api, calls } = serverThat(() => json({ sessionId: "s1" }, { status: 201 }));
    expect((await api.createSession("c1", { pipelines: ["vision"], profile: "fast", overlay: "exact" })).sessionId).toBe("s1");
    expect(calls[0]).toEqual({
      path: "/sessions",
      method: "POST",
      body: { sourceId: "c1", pipelines: ["vision"], profile: "fast", overlay: "exact" },
    });
  });

  it("takes the peer's address from Location", async () => {
    const { api } = serverThat(() => json({ sdp: "a", type: "answer", peerId: "p" }, { status: 201, headers: { Location: "/sessions/s/peers/p" } }));
    expect((await api.offer("s", "o")).location).toBe("http://vedette.test/sessions/s/peers/p");
  });

  it("trickles candidates, and says which are the last", async () => {
    const { api, calls } = serverThat(() => new Response(null, { status: 204 }));
    await api.trickle("http://vedette.test/p", [{ candidate: "x", sdpMid: "0", sdpMLineIndex: 0 }], false);
    await api.trickle("http://vedette.test/p", [], true);
    expect(calls.map(({ body }) => body)).toEqual([
      { candidates: [{ candidate: "x", sdpMid: "0", sdpMLineIndex: 0 }] },
      { candidates: [], end: true },
    ]);
  });

  it("rejects with the server's own code and message", async () => {
    const { api } = serverThat(() => json({ error: { code: "overloaded", message: "4 of 4 sessions run" } }, { status: 503 }));
    await expect(api.createSource("webcam", "x")).rejects.toMatchObject({ code: "overloaded", status: 503, message: "4 of 4 sessions run" });
  });

  it("takes up when to ask again, also from a proxy that refuses in its own words", async () => {
    const error = await toApiError(new Response("<html>", { status: 429, headers: { "Retry-After": "7" } }));
    expect(error).toMatchObject({ code: "rate_limited", retryAfterS: 7 });
    expect(faultOf(error)).toMatchObject({ code: "rate_limited", retryAfterS: 7 });
    expect(faultOf(new ApiError("overloaded", "full", 503))).toMatchObject({ retryAfterS: 5 });
  });

  it("lists sessions newest first, page by page", async () => {
    const { api, calls } = serverThat(() => json({ sessions: [], next: null }));
    await api.sessions(30);
    await api.sessions(60, "s1");
    expect(calls.map(({ path }) => path)).toEqual(["/sessions?order=newest&limit=30", "/sessions?order=newest&limit=60&after=s1"]);
  });

  it("asks for some kinds of events only", async () => {
    const { api, calls } = serverThat(() => json({ events: [], next: null }));
    await api.events("s", 5, 10, ["object", "error"]);
    expect(calls[0]?.path).toBe("/sessions/s/events?after=5&limit=10&kind=object,error");
  });

  it("names the status when something else than Vedette answers", async () => {
    const error = await toApiError(new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect(error).toMatchObject({ code: "internal", message: "The server answered 502 Bad Gateway" });
  });

  it("calls a server that does not answer gone", async () => {
    const { api } = serverThat(() => Promise.reject(new TypeError("Failed to fetch")));
    await expect(api.createSource("webcam", "x")).rejects.toMatchObject({ code: "server_gone", status: 0 });
    await expect(api.health()).rejects.toMatchObject({ code: "server_gone" });
  });

  it("passes an abort on as what it is", async () => {
    const abort = new AbortController();
    abort.abort();
    const { api } = serverThat((_, init) => Promise.reject(init.signal?.reason));
    await expect(api.createSource("webcam", "x", abort.signal)).rejects.toMatchObject({ name: "AbortError" });
  });

  it("does not mind removing what is gone", async () => {
    const { api } = serverThat(() => json({ error: { code: "not_found", message: "no" } }, { status: 404 }));
    await expect(api.remove("/sessions/s")).resolves.toBeUndefined();
  });
});

describe("health", () => {
  const detector = { name: "people", runtime: "openvino", device: "cpu", precision: "int8", reason: "no yolo26n", fallback: true };

  it("reads the model and the failed checks, also from a 503", async () => {
    const body = { status: "failed", detector, checks: { disk: { status: "failed", error: "read-only" }, database: { status: "ok" } } };
    const { api } = serverThat(() => json(body, { status: 503 }));
    expect(await api.health()).toEqual({ detector, recogniser: null, problems: ["disk: read-only"] });
  });

  it("invents no model", () => {
    expect(parseHealth({ detector: null }).detector).toBeNull();
    expect(parseHealth(null)).toEqual({ detector: null, recogniser: null, problems: [] });
  });
});

describe("faults", () => {
  it.each([
    ["NotAllowedError", "camera_denied"],
    ["NotFoundError", "no_camera"],
    ["OverconstrainedError", "no_camera"],
    ["NotReadableError", "camera_busy"],
  ])("puts %s into words", (name, code) => {
    expect(faultOf(new DOMException("", name)).code).toBe(code);
  });

  it.each([
    ["NotAllowedError", "screen_cancelled"],
    ["InvalidStateError", "screen_cancelled"],
    ["NotReadableError", "screen_failed"],
  ])("puts %s of a screen into words of its own", (name, code) => {
    expect(faultOf(new DOMException("", name), "screen").code).toBe(code);
  });

  it("says that the demo's photographs are missing, with the server's words", () => {
    const gone = new ApiError("source_unreachable", "no photographs in /x", 502);
    expect(faultOf(gone, "demo")).toMatchObject({ code: "demo_missing", text: expect.stringContaining("no photographs in /x") });
    expect(faultOf(gone, "watch").code).toBe("source_unreachable");
  });

  it("offers the demo where only a camera or screen is what is missing", () => {
    expect(["camera_denied", "screen_cancelled", "insecure_origin", "server_gone"].map((code) => fault(code).demoInstead)).toEqual([true, true, true, false]);
  });

  it("says who ended a session", () => {
    expect(endedWords("stopped by a client").title).toBe("Somebody stopped this session");
    expect(endedWords("no publisher for 60 s").text).toContain("no publisher for 60 s");
    expect(endedWords(null).title).toBe("The session is over");
  });

  it("gives every code a title and an action, unknown ones too", () => {
    expect(fault("brand_new", "It said so.")).toMatchObject({ title: "Something went wrong", text: "It said so.", action: "retry" });
  });

  it("tells an insecure page from a browser without WebRTC", () => {
    const navigator = {} as Navigator;
    expect(environmentFault({ isSecureContext: false, navigator, RTCPeerConnection: {} })?.code).toBe("insecure_origin");
    expect(environmentFault({ isSecureContext: true, navigator })?.code).toBe("no_webrtc");
  });

  it("needs nothing but WebRTC for the demo and for watching", () => {
    const phone = { isSecureContext: true, navigator: { mediaDevices: {} } as Navigator, RTCPeerConnection: {} };
    const insecure = { isSecureContext: false, navigator: {} as Navigator, RTCPeerConnection: {} };
    expect(environmentFault(insecure, "demo")).toBeNull();
    expect(environmentFault(insecure, "watch")).toBeNull();
    expect(environmentFault(insecure, "screen")?.code).toBe("insecure_origin");
    expect(environmentFault(phone, "screen")?.code).toBe("screen_unsupported");
    expect(environmentFault(phone, "camera")).toBeNull();
  });
});
