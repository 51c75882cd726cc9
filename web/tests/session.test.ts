import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError } from "@/lib/api";
import { LiveSession } from "@/lib/session";
import { object, session as sessionEvent } from "./fixtures";

/** As much of a peer connection as the session touches. */
class FakeChannel {
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly sent: unknown[] = [];
  constructor(readonly label: string, readonly options: RTCDataChannelInit) {}
  send = (text: string) => void this.sent.push(JSON.parse(text));
  say = (message: unknown) => this.onmessage?.({ data: JSON.stringify(message) });
}

class FakePeer {
  static all: FakePeer[] = [];
  connectionState: RTCPeerConnectionState = "new";
  localDescription = { sdp: "offer" };
  channels: FakeChannel[] = [];
  framesDecoded = 0;
  closed = false;
  onicecandidate: ((event: { candidate: { toJSON(): RTCIceCandidateInit } | null }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: unknown = null;
  sender = { replaceTrack: vi.fn(async () => undefined), getParameters: () => ({}), setParameters: vi.fn(async () => undefined) };
  constructor() {
    FakePeer.all.push(this);
  }
  createDataChannel(label: string, options: RTCDataChannelInit) {
    const channel = new FakeChannel(label, options);
    this.channels.push(channel);
    return channel;
  }
  addTransceiver = () => ({ sender: this.sender, mid: "0" });
  setLocalDescription = async () => undefined;
  setRemoteDescription = async () => undefined;
  getStats = async () => new Map([["i", { type: "inbound-rtp", kind: "video", framesDecoded: this.framesDecoded }]]);
  close = () => void (this.closed = true);
  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

const newest = () => FakePeer.all.at(-1) as FakePeer;
const track = () => ({ label: "Fake camera", stop: vi.fn(), onended: null as (() => void) | null });

const ANSWER = { sdp: "answer", peerId: "p", location: "/peers/p" };

function setUp(getUserMedia: () => Promise<unknown>) {
  const api = {
    createSource: vi.fn<Api["createSource"]>(async () => "source"),
    createSession: vi.fn<Api["createSession"]>(async () => ({ sessionId: "session", iceServers: [] })),
    offer: vi.fn<Api["offer"]>(async () => ANSWER),
    trickle: vi.fn<Api["trickle"]>(async () => undefined),
    remove: vi.fn<Api["remove"]>(async () => undefined),
    events: vi.fn<Api["events"]>(),
    sessionState: vi.fn<Api["sessionState"]>(),
    health: vi.fn<Api["health"]>(),
  };
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia }, permissions: { query: async () => ({ state: "prompt" }) } });
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("RTCRtpReceiver", {});
  vi.stubGlobal("addEventListener", vi.fn());
  vi.stubGlobal("removeEventListener", vi.fn());
  vi.stubGlobal("document", { addEventListener: vi.fn(), removeEventListener: vi.fn(), visibilityState: "visible" });
  return { api, session: new LiveSession(api) };
}

function withCamera() {
  const camera = track();
  const stream = { getVideoTracks: () => [camera], getTracks: () => [camera] };
  return { camera, ...setUp(async () => stream) };
}

const name = (session: LiveSession) => session.phase.getSnapshot().name;

describe("LiveSession", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakePeer.all = [];
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  async function live(parts = withCamera()) {
    await parts.session.start("auto", "smooth");
    newest().become("connected");
    parts.session.firstPicture();
    expect(name(parts.session)).toBe("live");
    return parts;
  }

  it("opens both channels as the contract has them, and is live with the first picture", async () => {
    const { session } = await live();
    expect(newest().channels.map(({ label, options }) => ({ label, ...options }))).toEqual([
      { label: "events", ordered: true, protocol: "vedette.v1" },
      { label: "live", ordered: false, maxRetransmits: 0, protocol: "vedette.v1" },
    ]);
    session.stop();
  });

  it("trickles only after the answer told where", async () => {
    const parts = withCamera();
    let answer: (value: typeof ANSWER) => void = () => undefined;
    parts.api.offer.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const starting = parts.session.start("auto", "smooth");
    await vi.advanceTimersByTimeAsync(1);
    newest().onicecandidate?.({ candidate: { toJSON: () => ({ candidate: "c" }) } });
    expect(parts.api.trickle).not.toHaveBeenCalled();
    answer(ANSWER);
    await starting;
    expect(parts.api.trickle).toHaveBeenCalledWith("/peers/p", [{ candidate: "c" }], false);
    newest().onicecandidate?.({ candidate: null });
    expect(parts.api.trickle).toHaveBeenLastCalledWith("/peers/p", [], true);
    parts.session.stop();
  });

  it("tells a refused camera apart, and leaves no session behind", async () => {
    const { api, session } = setUp(() => Promise.reject(new DOMException("", "NotAllowedError")));
    await session.start("auto", "smooth");
    await vi.runOnlyPendingTimersAsync();
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "camera_denied" } });
    expect(api.remove).toHaveBeenCalledWith("/sessions/session");
    expect(FakePeer.all).toHaveLength(0);
  });

  it("reconnects on the same session and resumes after the last event", async () => {
    const { api, session } = await live();
    newest().channels[0]?.say(object(7));
    newest().become("failed");
    expect(session.phase.getSnapshot()).toMatchObject({ name: "reconnecting", attempt: 1 });
    expect(FakePeer.all[0]?.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(600);
    expect(FakePeer.all).toHaveLength(2);
    expect(api.offer).toHaveBeenLastCalledWith("session", "offer", expect.anything());
    newest().channels[0]?.onopen?.();
    expect(newest().channels[0]?.sent).toEqual([{ type: "attach", after: 7 }]);
    session.firstPicture();
    expect(name(session)).toBe("live");
    session.stop();
  });

  it("keeps trying while the server is away, then ends when the session is gone", async () => {
    const gone = new ApiError("server_gone", "gone", 0);
    const { api, session } = await live();
    api.offer.mockRejectedValue(gone);
    newest().become("failed");
    await vi.advanceTimersByTimeAsync(4_000);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "reconnecting", cause: "The server does not answer" });
    api.offer.mockRejectedValue(new ApiError("not_found", "no session", 404));
    await vi.advanceTimersByTimeAsync(40_000);
    expect(name(session)).toBe("ended");
  });

  it("ends with the server's reason", async () => {
    const { camera, session } = await live();
    newest().channels[0]?.say({ ...sessionEvent(3, "ended"), data: { state: "ended", reason: "source removed" } });
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", reason: "source removed" });
    expect(camera.stop).toHaveBeenCalled();
  });

  it("asks why, when the server refuses to go on: an ended session is no fault", async () => {
    const { api, session } = await live();
    api.offer.mockRejectedValue(new ApiError("conflict", "it has ended", 409));
    api.sessionState.mockResolvedValue({ state: "ended", reason: "stopped by a client" });
    newest().become("failed");
    await vi.advanceTimersByTimeAsync(600);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", reason: "Ended by the server: stopped by a client" });
  });

  it("calls another publisher by its name", async () => {
    const { api, session } = await live();
    api.offer.mockRejectedValue(new ApiError("conflict", "another publishes", 409));
    api.sessionState.mockResolvedValue({ state: "live", reason: null });
    newest().become("failed");
    await vi.advanceTimersByTimeAsync(600);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "conflict" } });
  });

  it("tells peer and session at once when the page goes away", async () => {
    const { api, session } = await live();
    session.stop(true);
    expect(api.remove.mock.calls).toEqual([["/peers/p"], ["/sessions/session"]]);
  });

  it("says so when the camera is pulled out", async () => {
    const { camera, session } = await live();
    camera.onended?.();
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "camera_lost" } });
  });

  it("stop lets go of camera, peer and session", async () => {
    const { api, camera, session } = await live();
    session.stop();
    expect(name(session)).toBe("idle");
    expect(camera.stop).toHaveBeenCalled();
    expect(newest().closed).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(api.remove.mock.calls).toEqual([["/peers/p"], ["/sessions/session"]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakePeer.all).toHaveLength(1);
  });

  it("stopped while it starts, leaves nothing behind", async () => {
    let made: (session: { sessionId: string; iceServers: RTCIceServer[] }) => void = () => undefined;
    const { api, session } = withCamera();
    api.createSession.mockImplementation(() => new Promise((resolve) => (made = resolve)));
    const starting = session.start("auto", "smooth");
    await vi.advanceTimersByTimeAsync(1);
    session.stop();
    made({ sessionId: "late", iceServers: [] });
    await starting;
    expect(name(session)).toBe("idle");
    expect(api.remove).toHaveBeenCalledWith("/sessions/late");
    expect(FakePeer.all).toHaveLength(0);
  });

  it("gives up a first connection that never stands, with its own word", async () => {
    const { session } = withCamera();
    await session.start("auto", "smooth");
    await vi.advanceTimersByTimeAsync(16_000);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "ice_failed" } });
  });

  it("makes a new source when the server forgot the old one", async () => {
    const { api, session } = await live();
    session.stop();
    api.createSession.mockRejectedValueOnce(new ApiError("not_found", "no source", 404)).mockResolvedValueOnce({ sessionId: "two", iceServers: [] });
    await session.start("auto", "smooth");
    expect(api.createSource).toHaveBeenCalledTimes(2);
    expect(session.sessionId.getSnapshot()).toBe("two");
    session.stop();
  });
});
