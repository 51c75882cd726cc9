import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError } from "@/lib/api";
import type { Plan } from "@/lib/choice";
import { LiveSession } from "@/lib/session";
import type { SessionInfo } from "@/lib/types";
import { object, said, session as sessionEvent } from "./fixtures";

/** As much of a peer connection as the session touches. */
class FakeChannel {
  readyState = "open";
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
  readonly sound = { replaceTrack: vi.fn(async () => undefined) };
  readonly transceivers: { kind: string; direction: string | undefined }[] = [];
  addTransceiver = (kind: string, { direction }: RTCRtpTransceiverInit) => {
    this.transceivers.push({ kind, direction });
    return { sender: kind === "audio" ? this.sound : this.sender, mid: "0" };
  };
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

const CAMERA: Plan = { choice: { kind: "camera", deviceId: null }, profile: "auto", overlay: "smooth", microphone: false };
const DEMO: Plan = { ...CAMERA, choice: { kind: "demo" } };
const SCREEN: Plan = { ...CAMERA, choice: { kind: "screen" } };
const WATCH: Plan = { ...CAMERA, choice: { kind: "watch", sessionId: "other" } };
const ANSWER = { sdp: "answer", peerId: "p", location: "/peers/p" };

/** Counts what was put into it, nothing more. */
class FakeStream {
  private readonly tracks: unknown[] = [];
  addTrack = (added: unknown) => void this.tracks.push(added);
  getAudioTracks = () => this.tracks;
}

function setUp(getUserMedia: () => Promise<unknown>, getDisplayMedia = getUserMedia) {
  const api = {
    createSource: vi.fn<Api["createSource"]>(async () => "source"),
    upload: vi.fn<Api["upload"]>(),
    createSession: vi.fn<Api["createSession"]>(async () => ({ sessionId: "session", iceServers: [] })),
    offer: vi.fn<Api["offer"]>(async () => ANSWER),
    trickle: vi.fn<Api["trickle"]>(async () => undefined),
    remove: vi.fn<Api["remove"]>(async () => undefined),
    events: vi.fn<Api["events"]>(),
    session: vi.fn<Api["session"]>(),
    sessions: vi.fn<Api["sessions"]>(),
    snapshot: vi.fn<Api["snapshot"]>(),
    artifacts: vi.fn<Api["artifacts"]>(),
    health: vi.fn<Api["health"]>(),
  };
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia, getDisplayMedia }, permissions: { query: async () => ({ state: "prompt" }) } });
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("MediaStream", FakeStream);
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

const info = (state: SessionInfo["state"], reason: string | null = null): SessionInfo => ({
  sessionId: "other",
  sourceId: "source",
  source: { kind: "webcam", name: "Hall" },
  state,
  reason,
  profile: "fast",
  overlay: "smooth",
  peers: 1,
  seq: 0,
  createdAt: 0,
  endedAt: null,
});

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

  async function live<P extends { session: LiveSession } = ReturnType<typeof withCamera>>(parts: P = withCamera() as unknown as P, plan = CAMERA) {
    await parts.session.start(plan);
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
    const starting = parts.session.start(CAMERA);
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
    await session.start(CAMERA);
    await vi.runOnlyPendingTimersAsync();
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "camera_denied" } });
    expect(api.createSession).not.toHaveBeenCalled();
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
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", title: "The source was removed", sessionId: "session" });
    expect(camera.stop).toHaveBeenCalled();
  });

  it("asks why, when the server refuses to go on: an ended session is no fault", async () => {
    const { api, session } = await live();
    api.offer.mockRejectedValue(new ApiError("conflict", "it has ended", 409));
    api.session.mockResolvedValue(info("ended", "stopped by a client"));
    newest().become("failed");
    await vi.advanceTimersByTimeAsync(600);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", title: "Somebody stopped this session" });
  });

  it("calls another publisher by its name", async () => {
    const { api, session } = await live();
    api.offer.mockRejectedValue(new ApiError("conflict", "another publishes", 409));
    api.session.mockResolvedValue(info("live"));
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
    const starting = session.start(CAMERA);
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
    await session.start(CAMERA);
    await vi.advanceTimersByTimeAsync(16_000);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "ice_failed" } });
  });

  it("makes a new source when the server forgot the old one", async () => {
    const { api, session } = await live();
    session.stop();
    api.createSession.mockRejectedValueOnce(new ApiError("not_found", "no source", 404)).mockResolvedValueOnce({ sessionId: "two", iceServers: [] });
    await session.start(CAMERA);
    expect(api.createSource).toHaveBeenCalledTimes(2);
    expect(session.running.getSnapshot()?.sessionId).toBe("two");
    session.stop();
  });

  it("only looks and listens at the demo, which the server makes, and asks nobody for a camera", async () => {
    const asked = vi.fn(() => Promise.reject(new Error("no camera here")));
    const { api, session } = await live(setUp(asked), DEMO);
    expect(asked).not.toHaveBeenCalled();
    expect(api.createSource).toHaveBeenCalledWith("demo", "Demo", expect.anything());
    expect(newest().transceivers).toEqual([
      { kind: "video", direction: "recvonly" },
      { kind: "audio", direction: "recvonly" },
    ]);
    expect(session.numbers.view.getSnapshot().latencyKind).toBe("source");
    session.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(api.remove).toHaveBeenCalledWith("/sessions/session");
  });

  it("asks for the server's clock where the latency is estimated", async () => {
    const { session } = await live(setUp(() => Promise.reject(new Error())), DEMO);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(newest().channels[0]?.sent).toContainEqual({ type: "ping", id: "p1" });
    session.stop();
  });

  it("watches somebody's session, and leaves it running", async () => {
    const parts = setUp(() => Promise.reject(new Error()));
    parts.api.session.mockResolvedValue(info("live"));
    const { api, session } = await live(parts, WATCH);
    expect(api.createSession).not.toHaveBeenCalled();
    expect(api.offer).toHaveBeenCalledWith("other", "offer", expect.anything());
    expect(session.name.getSnapshot()).toBe("Hall");
    session.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(api.remove.mock.calls).toEqual([["/peers/p"]]);
  });

  it("does not join a session that is over, and says why it ended", async () => {
    const { api, session } = setUp(() => Promise.reject(new Error()));
    api.session.mockResolvedValue(info("ended", "stopped by a client"));
    await session.start(WATCH);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", title: "Somebody stopped this session" });
    expect(FakePeer.all).toHaveLength(0);
  });

  it("makes nothing for a screen that was not chosen", async () => {
    const { api, session } = setUp(() => Promise.reject(new DOMException("", "NotAllowedError")));
    await session.start(SCREEN);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", fault: { code: "screen_cancelled" } });
    expect(api.createSource).not.toHaveBeenCalled();
  });

  it("ends with a screen that is no longer shared, which is no fault", async () => {
    const { camera, session } = await live(withCamera(), SCREEN);
    camera.onended?.();
    expect(session.phase.getSnapshot()).toMatchObject({ name: "ended", title: "You stopped sharing" });
  });

  it("does not call a screen stalled on which nothing moves; a camera it does", async () => {
    for (const [plan, phase] of [[SCREEN, "live"], [CAMERA, "stalled"]] as const) {
      const { session } = await live(withCamera(), plan);
      newest().framesDecoded = 1;
      await vi.advanceTimersByTimeAsync(8_000);
      expect(name(session)).toBe(phase);
      session.stop();
    }
  });

  it("tries again by itself when the server is full, as late as it was told to, and not for ever", async () => {
    const { api, session } = setUp(() => Promise.reject(new Error()));
    api.createSession.mockRejectedValue(new ApiError("overloaded", "64 sessions run", 503, null, 3));
    await session.start(DEMO);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", retryAt: performance.now() + 3_000 });
    await vi.advanceTimersByTimeAsync(2_900);
    expect(api.createSession).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(api.createSession).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(api.createSession).toHaveBeenCalledTimes(6);
    expect(session.phase.getSnapshot()).toMatchObject({ name: "failed", retryAt: null });
  });

  it("stop takes back what it would have tried by itself", async () => {
    const { api, session } = setUp(() => Promise.reject(new Error()));
    api.createSession.mockRejectedValue(new ApiError("overloaded", "full", 503, null, 3));
    await session.start(DEMO);
    session.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(api.createSession).toHaveBeenCalledTimes(1);
  });

  it("says so when pictures come but the data channel does not open", async () => {
    const { session } = await live();
    expect(session.channel.getSnapshot()).toBe("waiting");
    const playing = setInterval(() => (newest().framesDecoded += 10), 500);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(session.channel.getSnapshot()).toBe("missing");
    newest().channels[0]?.say({ type: "attached", sessionId: "session", role: "viewer", state: "live", seq: 0 });
    expect(session.channel.getSnapshot()).toBe("open");
    clearInterval(playing);
    session.stop();
  });

  it("takes the camera that was picked, and another one when that is gone", async () => {
    const camera = track();
    const stream = { getVideoTracks: () => [camera], getTracks: () => [camera] };
    const asked = vi.fn(async ({ video }: { video: MediaTrackConstraints }) => {
      if (video.deviceId) throw Object.assign(new Error("gone"), { name: "OverconstrainedError" });
      return stream;
    });
    const { session } = setUp(asked as unknown as () => Promise<unknown>);
    await session.start({ ...CAMERA, choice: { kind: "camera", deviceId: "usb" } });
    expect(asked.mock.calls.map(([{ video }]) => video.deviceId)).toEqual([{ exact: "usb" }, undefined]);
    expect(name(session)).toBe("starting");
    session.stop();
  });

  it("puts another camera into the running session, without a new offer", async () => {
    const { api, camera, session } = await live();
    await session.switchCamera("usb");
    expect(camera.stop).toHaveBeenCalledTimes(1);
    expect(api.offer).toHaveBeenCalledTimes(1);
    expect(newest().sender.replaceTrack).toHaveBeenCalledTimes(2);
    expect(name(session)).toBe("live");
    session.stop();
  });

  it("listens to a camera only where its microphone was asked for, and sends that", async () => {
    const sound = { ...track(), label: "Fake microphone" };
    const camera = track();
    const asked = vi.fn(async ({ audio }: MediaStreamConstraints) =>
      audio ? { getAudioTracks: () => [sound] } : { getVideoTracks: () => [camera], getTracks: () => [camera] },
    );
    const { api, session } = await live(setUp(asked as unknown as () => Promise<unknown>));
    expect(api.createSession.mock.lastCall?.[1].pipelines).toEqual(["vision"]);
    expect(newest().transceivers.map(({ kind }) => kind)).toEqual(["video"]);
    session.stop();
    await session.start({ ...CAMERA, microphone: true });
    await vi.advanceTimersByTimeAsync(1);
    expect(api.createSession.mock.lastCall?.[1].pipelines).toEqual(["vision", "audio"]);
    expect(asked).toHaveBeenLastCalledWith({
      audio: { echoCancellation: true, noiseSuppression: false, autoGainControl: false },
      video: false,
    });
    expect(newest().transceivers).toContainEqual({ kind: "audio", direction: "sendrecv" });
    expect(newest().sound.replaceTrack).toHaveBeenLastCalledWith(sound);
    session.microphone.close();
    expect(sound.stop).toHaveBeenCalled();
    expect(newest().sound.replaceTrack).toHaveBeenLastCalledWith(null);
    expect(session.microphone.view.getSnapshot()).toEqual({ state: "off" });
    session.stop();
  });

  it("goes on with the picture when the microphone is refused or gone, and says which", async () => {
    const sound = track();
    let answer = () => Promise.reject<unknown>(new DOMException("", "NotAllowedError"));
    const camera = track();
    const asked = async ({ audio }: MediaStreamConstraints) => (audio ? answer() : { getVideoTracks: () => [camera], getTracks: () => [camera] });
    const { session } = await live(setUp(asked as unknown as () => Promise<unknown>), { ...CAMERA, microphone: true });
    expect(session.microphone.view.getSnapshot()).toMatchObject({ state: "failed", fault: { code: "mic_denied" } });
    answer = async () => ({ getAudioTracks: () => [sound] });
    await session.microphone.open();
    expect(session.microphone.view.getSnapshot().state).toBe("on");
    sound.onended?.();
    expect(session.microphone.view.getSnapshot()).toMatchObject({ state: "failed", fault: { code: "mic_lost" } });
    expect(name(session)).toBe("live");
    session.stop();
    expect(session.microphone.view.getSnapshot().state).toBe("off");
  });

  it("lets go of a microphone that is given after it was switched off", async () => {
    const sound = track();
    let give: (stream: unknown) => void = () => undefined;
    const camera = track();
    const asked = ({ audio }: MediaStreamConstraints) =>
      audio ? new Promise((resolve) => (give = resolve)) : Promise.resolve({ getVideoTracks: () => [camera], getTracks: () => [camera] });
    const { session } = await live(setUp(asked as unknown as () => Promise<unknown>), { ...CAMERA, microphone: true });
    session.microphone.close();
    give({ getAudioTracks: () => [sound] });
    await vi.advanceTimersByTimeAsync(1);
    expect(sound.stop).toHaveBeenCalled();
    expect(session.microphone.view.getSnapshot().state).toBe("off");
    session.stop();
  });

  it("has the demo listened to, and does with its pictures where the server cannot listen", async () => {
    const { api, session } = setUp(() => Promise.reject(new Error()));
    api.createSession.mockRejectedValueOnce(new ApiError("invalid_request", "unknown pipeline 'audio', have: vision", 400));
    await live({ api, session }, DEMO);
    expect(api.createSession.mock.calls.map(([, { pipelines }]) => pipelines)).toEqual([["vision", "audio"], ["vision"]]);
    expect(session.running.getSnapshot()?.hears).toBe("cannot");
    session.stop();
    await live({ api, session }, DEMO);
    expect(session.running.getSnapshot()?.hears).toBe("yes");
    session.stop();
  });

  it("forgets what was being said when the connection breaks, and keeps what was final", async () => {
    const { session } = await live();
    newest().channels[0]?.say(said(7, "hello"));
    newest().channels[1]?.say(said(null, "wor", { mediaTime: 100 }));
    await vi.advanceTimersByTimeAsync(200);
    const { view } = session.feed.transcript;
    expect(view.getSnapshot().partials).toMatchObject([{ text: "wor" }]);
    newest().become("failed");
    await vi.advanceTimersByTimeAsync(600);
    expect(view.getSnapshot().partials).toEqual([]);
    newest().channels[0]?.say(said(7, "hello"));
    newest().channels[0]?.say(said(8, "world", { mediaTime: 101 }));
    await vi.advanceTimersByTimeAsync(200);
    expect(view.getSnapshot().lines.map(({ text }) => text)).toEqual(["hello", "world"]);
    session.stop();
  });
});
