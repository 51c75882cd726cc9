import { type Api, ApiError, type CreatedSession } from "./api";
import { backoffMs } from "./backoff";
import { type Camera, cameraIsGranted, closeCamera, openCamera } from "./camera";
import { environmentFault, type Fault, fault, faultOf } from "./faults";
import { Feed } from "./feed";
import { Numbers } from "./numbers";
import { Peer, type PeerHandlers } from "./peer";
import { isActive, type Phase, type Steps } from "./phase";
import { Cell } from "./store";
import type { Control, Overlay, Profile, VedetteEvent } from "./types";
import { Watchdog } from "./watchdog";

const PULSE_MS = 1_000;
const CONNECT_TIMEOUT_MS = 15_000;
const SOURCE_NAME = "Webcam";

export interface Media {
  /** The annotated track that came back. */
  returned: MediaStream | null;
  /** The camera itself, to show while the first picture is on its way. */
  local: MediaStream | null;
  cameraName: string;
}

const NO_MEDIA: Media = { returned: null, local: null, cameraName: "" };

/** One camera session from click to stop: negotiation, reconnects and every failure in words. No React in it. */
export class LiveSession {
  readonly phase = new Cell<Phase>({ name: "idle" });
  readonly media = new Cell<Media>(NO_MEDIA);
  readonly sessionId = new Cell<string | null>(null);
  readonly feed: Feed;
  readonly numbers = new Numbers();

  private camera: Camera | null = null;
  private peer: Peer | null = null;
  private sourceId: string | null = null;
  private iceServers: RTCIceServer[] = [];
  private run: AbortController | null = null;
  private watchdog = new Watchdog();
  private pulse: ReturnType<typeof setInterval> | null = null;
  private deadline: ReturnType<typeof setTimeout> | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private attempt = 0;
  private connection: RTCPeerConnectionState = "new";

  constructor(private readonly api: Api) {
    this.feed = new Feed(api);
  }

  /** Open the camera, make a session and connect, as far as possible at once. Never rejects: failures become the phase. */
  async start(profile: Profile, overlay: Overlay): Promise<void> {
    if (isActive(this.phase.getSnapshot())) return;
    const impossible = environmentFault(globalThis);
    if (impossible) return this.fail(impossible);
    const run = (this.run = new AbortController());
    this.attempt = 0;
    this.feed.open();
    this.numbers.open();
    this.set({ name: "starting", since: performance.now(), steps: { camera: false, session: false, connection: false } });
    try {
      const opening = this.openCamera(run.signal);
      // Awaited below on every way, but a refusal may come first: it must not count as unhandled.
      opening.catch(() => undefined);
      const creating = this.createSession(profile, overlay, run.signal);
      creating.catch(() => undefined);
      // With a prompt on screen nobody knows how long it takes: the server should not hold a connection for that.
      if (!(await cameraIsGranted())) await opening;
      await creating;
      if (run.signal.aborted) return;
      await this.connect(run.signal);
      await opening;
    } catch (error) {
      if (!run.signal.aborted) this.fail(faultOf(error));
    }
  }

  /**
   * End the session for good.
   *
   * @param leaving the page goes away: nothing that waits for an answer will be sent any more
   */
  stop(leaving = false): void {
    this.release(leaving);
    this.set({ name: "idle" });
  }

  /** Reconnect now instead of waiting. */
  retryNow = (): void => {
    const phase = this.phase.getSnapshot();
    if (phase.name === "reconnecting" && phase.retryAt !== null) void this.reconnect();
  };

  /** The annotated video element has a picture on screen. */
  firstPicture = (): void => {
    const phase = this.phase.getSnapshot();
    // A last frame of a connection that is already given up says nothing of the next one.
    if (!this.peer || (phase.name !== "starting" && phase.name !== "reconnecting")) return;
    this.clearTimers();
    this.attempt = 0;
    this.watchdog = new Watchdog();
    void this.beat();
    this.set({ name: "live", since: performance.now() });
  };

  private async openCamera(signal: AbortSignal): Promise<void> {
    const camera = await openCamera();
    if (signal.aborted) return closeCamera(camera);
    this.camera = camera;
    camera.track.onended = () => this.fail(fault("camera_lost"));
    this.media.set({ ...this.media.getSnapshot(), local: camera.stream, cameraName: camera.name });
    this.step({ camera: true });
    await this.peer?.setTrack(camera.track);
  }

  private async createSession(profile: Profile, overlay: Overlay, signal: AbortSignal): Promise<void> {
    const create = async () => {
      this.sourceId ??= await this.api.createSource(SOURCE_NAME, signal);
      return this.api.createSession(this.sourceId, profile, overlay, signal);
    };
    let made: CreatedSession;
    try {
      made = await create();
    } catch (error) {
      // The source was kept from an earlier start; a server with a new database does not know it.
      if (!(error instanceof ApiError && error.code === "not_found")) throw error;
      this.sourceId = null;
      made = await create();
    }
    if (signal.aborted) return this.remove(made.sessionId);
    this.iceServers = made.iceServers;
    this.sessionId.set(made.sessionId);
    this.step({ session: true });
  }

  private async connect(signal: AbortSignal): Promise<void> {
    const id = this.sessionId.getSnapshot();
    if (id === null) return;
    void this.peer?.close();
    this.numbers.restart();
    this.connection = "new";
    const handlers: PeerHandlers = {
      onMessage: (message) => this.heard(message, peer),
      onStream: (returned) => this.media.set({ ...this.media.getSnapshot(), returned }),
      onConnection: (state) => this.onConnection(state),
      onEventsClosed: () => this.lost("The event channel closed"),
      onSent: (rtp, at) => this.numbers.meter.sent(rtp, at),
    };
    const peer: Peer = new Peer(this.api, id, handlers, this.iceServers);
    this.peer = peer;
    this.numbers.meter.supported = peer.measures;
    if (this.camera) await peer.setTrack(this.camera.track);
    this.deadline = setTimeout(() => this.tooLate(), CONNECT_TIMEOUT_MS);
    this.pulse ??= setInterval(() => void this.beat(), PULSE_MS);
    await peer.open(this.feed.seq, signal);
  }

  private tooLate(): void {
    const connected = this.connection === "connected";
    if (this.phase.getSnapshot().name === "starting") {
      // A prompt that is still open is no fault of the connection.
      if (!this.camera) this.deadline = setTimeout(() => this.tooLate(), CONNECT_TIMEOUT_MS);
      else this.fail(fault(connected ? "no_frames" : "ice_failed"));
    } else this.lost(connected ? "No picture came back" : "No connection");
  }

  private onConnection(state: RTCPeerConnectionState): void {
    this.connection = state;
    if (state === "connected") this.step({ connection: true });
    if (state !== "failed") return;
    if (this.phase.getSnapshot().name === "starting") this.fail(fault("ice_failed"));
    else this.lost("The connection broke");
  }

  private heard(message: VedetteEvent | Control, peer: Peer): void {
    if ("kind" in message) {
      if (message.kind === "metric") this.numbers.heard(message.data);
      if (message.kind === "detection") this.numbers.detected(message.data);
      const isNew = this.feed.add(message);
      if (isNew && message.kind === "session") this.serverState(message.data.state, message.data.reason);
      return;
    }
    switch (message.type) {
      case "attached": {
        const origin = peer.mid === null ? undefined : message.rtpOrigin?.[peer.mid];
        if (origin !== undefined) this.numbers.meter.setOrigin(origin);
        break;
      }
      case "dropped":
        this.numbers.dropped(message.what, message.count);
        break;
      case "gap": {
        const id = this.sessionId.getSnapshot();
        // The feed says how many are missing when this fails too.
        if (id !== null) this.feed.fill(id, message.from, message.to).catch(() => undefined);
        break;
      }
      case "error":
        if (message.fatal) this.fail(fault(message.error.code, message.error.message));
        break;
    }
  }

  private serverState(state: string, reason: string | null | undefined): void {
    if (state === "ended") this.finish(reason ?? "The server ended the session");
    if (state === "failed") this.fail(fault("session_failed", reason ?? "The session failed on the server."));
  }

  private async beat(): Promise<void> {
    const { peer } = this;
    const counters = await peer?.counters().catch(() => null);
    if (!counters || peer !== this.peer) return;
    this.numbers.tick(counters);
    // A hidden tab paints nothing, so its video element cannot say that pictures came.
    if (counters.framesDecoded > 0) this.firstPicture();
    const phase = this.phase.getSnapshot();
    if (phase.name !== "live" && phase.name !== "stalled") return;
    const verdict = this.watchdog.judge({ ...counters, now: counters.at, connection: this.connection });
    if (verdict === "dead") return this.lost(this.connection === "connected" ? "Pictures stopped" : "The connection broke");
    if (verdict === "ok") {
      if (phase.name === "stalled") this.set({ name: "live", since: performance.now() });
      return;
    }
    const cause = verdict === "camera" ? "camera" : "server";
    if (phase.name !== "stalled" || phase.cause !== cause) {
      this.set({ name: "stalled", since: phase.name === "stalled" ? phase.since : performance.now() - 2_000, cause });
    }
  }

  /** The connection is lost, the session perhaps not: plan the next offer. */
  private lost(cause: string): void {
    const phase = this.phase.getSnapshot();
    if (!isActive(phase)) return;
    this.clearTimers();
    void this.peer?.close();
    this.peer = null;
    this.numbers.pause();
    this.attempt += 1;
    const wait = backoffMs(this.attempt);
    const since = phase.name === "reconnecting" || phase.name === "stalled" ? phase.since : performance.now();
    this.set({ name: "reconnecting", since, attempt: this.attempt, retryAt: performance.now() + wait, cause });
    this.retry = setTimeout(() => void this.reconnect(), wait);
    addEventListener("online", this.retryNow);
    document.addEventListener("visibilitychange", this.retryWhenVisible);
  }

  private readonly retryWhenVisible = (): void => {
    if (document.visibilityState === "visible") this.retryNow();
  };

  private async reconnect(): Promise<void> {
    const phase = this.phase.getSnapshot();
    const { run } = this;
    if (phase.name !== "reconnecting" || !run) return;
    this.clearTimers();
    this.set({ ...phase, retryAt: null });
    try {
      await this.connect(run.signal);
    } catch (error) {
      if (run.signal.aborted) return;
      const refused = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (refused) return this.refused(error, run.signal);
      this.lost(error instanceof ApiError && error.code === "server_gone" ? "The server does not answer" : "No answer to the offer");
    }
  }

  /** The server will not have this session any more: because it is over, or for another reason, which is then a fault. */
  private async refused(error: ApiError, signal: AbortSignal): Promise<void> {
    const id = this.sessionId.getSnapshot();
    const after = error.status === 404 || id === null ? null : await this.api.sessionState(id).catch(() => null);
    if (signal.aborted) return;
    if (error.status === 404 || after?.state === "ended") {
      this.finish(after?.reason ? `Ended by the server: ${after.reason}` : "It ended while this page was away");
    } else this.fail(faultOf(error));
  }

  private finish(reason: string): void {
    this.release();
    this.set({ name: "ended", since: performance.now(), reason });
  }

  private fail(why: Fault): void {
    this.release();
    this.set({ name: "failed", since: performance.now(), fault: why });
  }

  /** Let go of everything: camera, connection, session. Safe at any time, also while the page goes away. */
  private release(leaving = false): void {
    this.run?.abort();
    this.run = null;
    this.clearTimers();
    if (this.pulse !== null) clearInterval(this.pulse);
    this.pulse = null;
    const closed = this.peer?.close();
    this.peer = null;
    if (this.camera) this.camera.track.onended = null;
    closeCamera(this.camera);
    this.camera = null;
    this.media.set(NO_MEDIA);
    this.feed.close();
    this.numbers.pause();
    const id = this.sessionId.getSnapshot();
    this.sessionId.set(null);
    if (id === null) return;
    // The session takes its peers with it: told first, it would answer 404 for the peer.
    if (closed && !leaving) void closed.then(() => this.remove(id));
    else this.remove(id);
  }

  private remove(id: string): void {
    // Nobody is left to tell; the server ends a session without a publisher by itself.
    this.api.remove(`/sessions/${id}`).catch(() => undefined);
  }

  private clearTimers(): void {
    if (this.deadline !== null) clearTimeout(this.deadline);
    if (this.retry !== null) clearTimeout(this.retry);
    this.deadline = this.retry = null;
    removeEventListener("online", this.retryNow);
    document.removeEventListener("visibilitychange", this.retryWhenVisible);
  }

  private step(done: Partial<Steps>): void {
    const phase = this.phase.getSnapshot();
    if (phase.name === "starting") this.set({ ...phase, steps: { ...phase.steps, ...done } });
  }

  private set(phase: Phase): void {
    this.phase.set(phase);
  }
}
