import { type Api, ApiError } from "./api";
import { backoffMs } from "./backoff";
import { type Capture, cameraIsGranted, closeCapture, openCapture } from "./capture";
import { type Choice, type Plan, publishes } from "./choice";
import { Comeback } from "./comeback";
import { endedWords, environmentFault, type Fault, fault, faultOf } from "./faults";
import { Feed } from "./feed";
import { Hearing } from "./hearing";
import { type Media, NO_MEDIA, type Running } from "./held";
import { type Made, SessionMaker } from "./maker";
import { Microphone } from "./microphone";
import { Numbers } from "./numbers";
import { Peer, type PeerHandlers } from "./peer";
import { afterPulse, isActive, type Phase, type Steps } from "./phase";
import { Cell } from "./store";
import type { ServerState } from "./types";
import { Watchdog } from "./watchdog";

const PULSE_MS = 1_000;
const CONNECT_TIMEOUT_MS = 15_000;
/** A picture for this long without a word from the server means that no data channel opened. */
const CHANNEL_MS = 8_000;
/** Whoever is refused so often is not let in by waiting a little. */
const MAX_TRIES_ALONE = 5;

/** One session from click to stop: negotiation, reconnects and every failure in words. No React in it. */
export class LiveSession {
  readonly phase = new Cell<Phase>({ name: "idle" });
  readonly media = new Cell<Media>(NO_MEDIA);
  readonly running = new Cell<Running | null>(null);
  /** What the source is called: the camera's own name once it is open. */
  readonly name = new Cell("");
  readonly plan = new Cell<Plan | null>(null);
  /** `missing`: pictures come, but no events, since the data channel did not open. */
  readonly channel = new Cell<"waiting" | "open" | "missing">("waiting");
  readonly microphone = new Microphone(async (track) => this.peer?.setSound(track));
  readonly feed: Feed;
  readonly numbers = new Numbers();

  private readonly maker: SessionMaker;
  private readonly hearing: Hearing;
  private readonly comeback = new Comeback();
  private capture: Capture | null = null;
  private peer: Peer | null = null;
  private iceServers: RTCIceServer[] = [];
  private run: AbortController | null = null;
  private watchdog = new Watchdog();
  private sourceStalled = false;
  private connectedAt: number | null = null;
  private pulse: ReturnType<typeof setInterval> | null = null;
  private deadline: ReturnType<typeof setTimeout> | null = null;
  private attempt = 0;
  private triesAlone = 0;
  private connection: RTCPeerConnectionState = "new";

  constructor(private readonly api: Api) {
    this.feed = new Feed(api);
    this.maker = new SessionMaker(api);
    this.hearing = new Hearing(this.feed, this.numbers, {
      onAttached: (state) => {
        this.channel.set("open");
        this.sourceStalled = state === "stalled";
      },
      onState: (state, reason) => this.serverState(state, reason),
      onFatal: (error) => this.fail(fault(error.code, error.message)),
    });
  }

  /** Open what is captured, make a session and connect, as far as possible at once. Never rejects: failures become the phase. */
  async start(plan: Plan): Promise<void> {
    if (isActive(this.phase.getSnapshot())) return;
    this.triesAlone = 0;
    await this.begin(plan);
  }

  /** End the session for good, or stop watching it; `leaving`: the page goes away, nothing that waits for an answer will be sent. */
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

  /** Another camera into the running session, without a new offer. */
  async switchCamera(deviceId: string): Promise<void> {
    const { run } = this;
    const plan = this.plan.getSnapshot();
    if (!run || plan?.choice.kind !== "camera" || !this.capture) return;
    this.plan.set({ ...plan, choice: { kind: "camera", deviceId } });
    this.letGo();
    try {
      await this.openCapture({ kind: "camera", deviceId }, run.signal);
    } catch (error) {
      if (!run.signal.aborted) this.fail(faultOf(error, "camera"));
    }
  }

  private async begin(plan: Plan): Promise<void> {
    const { choice } = plan;
    this.plan.set(plan);
    const impossible = environmentFault(globalThis, choice.kind);
    if (impossible) return this.fail(impossible);
    const run = (this.run = new AbortController());
    const captures = publishes(choice);
    this.attempt = 0;
    this.sourceStalled = false;
    this.feed.open();
    this.numbers.open(captures ? "page" : "source");
    this.name.set("");
    this.set({ name: "starting", since: performance.now(), steps: { capture: !captures, session: false, connection: false } });
    try {
      const opening = captures ? this.openCapture(choice, run.signal) : Promise.resolve();
      // Awaited below on every way, but a refusal may come first: it must not count as unhandled.
      opening.catch(() => undefined);
      // With a prompt on screen nobody knows how long it takes or how it ends: no session is made for that.
      if (choice.kind === "screen" || (captures && !(await cameraIsGranted()))) await opening;
      if (run.signal.aborted) return;
      const made = await this.maker.make(plan, run.signal);
      if (run.signal.aborted) return made.own ? this.remove(made.sessionId) : undefined;
      this.hold(made, choice);
      await this.connect(run.signal);
      await opening;
    } catch (error) {
      if (run.signal.aborted) return;
      if (error instanceof ApiError && error.code === "session_over") this.finish(error.message);
      else this.fail(faultOf(error, choice.kind));
    }
  }

  private async openCapture(choice: Choice, signal: AbortSignal): Promise<void> {
    const capture = await openCapture(choice);
    if (signal.aborted) return closeCapture(capture);
    this.capture = capture;
    capture.track.onended = () => {
      if (choice.kind === "screen") this.finish(null, { title: "You stopped sharing", text: "The session ended with it. Its events are kept." });
      else this.fail(fault("camera_lost"));
    };
    this.media.set({ ...this.media.getSnapshot(), local: capture.stream });
    this.name.set(capture.name);
    this.step({ capture: true });
    await this.peer?.setTrack(capture.track);
  }

  private hold({ sessionId, iceServers, own, name, hears }: Made, { kind }: Choice): void {
    this.iceServers = iceServers;
    this.running.set({ sessionId, own, hears });
    if (this.name.getSnapshot() === "") this.name.set(name);
    this.step({ session: true });
    if (kind === "camera" && hears === "yes") void this.microphone.open();
  }

  private async connect(signal: AbortSignal): Promise<void> {
    const running = this.running.getSnapshot();
    const plan = this.plan.getSnapshot();
    if (!running || !plan) return;
    void this.peer?.close();
    this.numbers.restart();
    this.connection = "new";
    this.connectedAt = null;
    this.channel.set("waiting");
    const handlers: PeerHandlers = {
      onMessage: (message) => this.hearing.take(message, running.sessionId, peer.mid),
      onStream: (returned) => this.media.set({ ...this.media.getSnapshot(), returned, hasAudio: returned.getAudioTracks().length > 0 }),
      onConnection: (state) => this.onConnection(state),
      onEventsClosed: () => this.lost("The event channel closed"),
      onSent: (rtp, at) => this.numbers.sent(rtp, at),
    };
    const role = publishes(plan.choice) ? "publisher" : "viewer";
    const peer: Peer = new Peer(this.api, running.sessionId, handlers, role, running.hears === "yes", this.iceServers);
    this.peer = peer;
    if (!peer.measures) this.numbers.unmeasurable();
    if (this.capture) await peer.setTrack(this.capture.track);
    await peer.setSound(this.microphone.track);
    this.deadline = setTimeout(() => this.tooLate(), CONNECT_TIMEOUT_MS);
    this.pulse ??= setInterval(() => void this.beat(), PULSE_MS);
    await peer.open(this.feed.seq, signal);
  }

  private tooLate(): void {
    const connected = this.connection === "connected";
    const phase = this.phase.getSnapshot();
    if (phase.name !== "starting") return this.lost(connected ? "No picture came back" : "No connection");
    // A prompt that is still open is no fault of the connection.
    if (!phase.steps.capture) this.deadline = setTimeout(() => this.tooLate(), CONNECT_TIMEOUT_MS);
    else this.fail(fault(!connected ? "ice_failed" : this.sourceStalled ? "source_silent" : "no_frames"));
  }

  private onConnection(state: RTCPeerConnectionState): void {
    this.connection = state;
    if (state === "connected") {
      this.connectedAt = performance.now();
      this.step({ connection: true });
    }
    if (state !== "failed") return;
    if (this.phase.getSnapshot().name === "starting") this.fail(fault("ice_failed"));
    else this.lost("The connection broke");
  }

  private serverState(state: ServerState, reason: string | null): void {
    this.sourceStalled = state === "stalled";
    if (state === "ended") this.finish(reason);
    if (state === "failed") this.fail(fault("session_failed", reason ?? "The server does not say why."));
  }

  private async beat(): Promise<void> {
    const { peer } = this;
    const counters = await peer?.counters().catch(() => null);
    if (!counters || !peer || peer !== this.peer) return;
    this.numbers.tick(counters);
    const ping = this.numbers.ping();
    if (ping !== null) peer.ping(ping);
    // A hidden tab paints nothing, so its video element cannot say that pictures came.
    if (counters.framesDecoded > 0) this.firstPicture();
    const silentMs = this.connectedAt === null ? 0 : performance.now() - this.connectedAt;
    if (silentMs > CHANNEL_MS && this.channel.getSnapshot() === "waiting") this.channel.set("missing");
    const phase = this.phase.getSnapshot();
    if (phase.name !== "live" && phase.name !== "stalled") return;
    const { connection, sourceStalled } = this;
    const verdict = this.watchdog.judge({ ...counters, now: counters.at, connection, sourceStalled });
    if (verdict === "dead") return this.lost(connection === "connected" ? "Pictures stopped" : "The connection broke");
    // A screen on which nothing moves makes no new pictures: that is no stall.
    const still = verdict === "source" && this.plan.getSnapshot()?.choice.kind === "screen";
    const next = verdict === "ok" || still ? null : verdict === "source" ? "source" : "server";
    this.set(afterPulse(phase, next, performance.now()));
  }

  /** The connection is lost, the session perhaps not: plan the next offer. */
  private lost(cause: string): void {
    const phase = this.phase.getSnapshot();
    if (!isActive(phase)) return;
    this.clearTimers();
    void this.peer?.close();
    this.peer = null;
    this.numbers.pause();
    this.feed.transcript.interrupt();
    this.attempt += 1;
    const wait = backoffMs(this.attempt);
    const since = phase.name === "reconnecting" || phase.name === "stalled" ? phase.since : performance.now();
    this.set({ name: "reconnecting", since, attempt: this.attempt, retryAt: performance.now() + wait, cause });
    this.comeback.plan(wait, () => void this.reconnect(), true);
  }

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
    const id = this.running.getSnapshot()?.sessionId;
    const after = error.status === 404 || id === undefined ? null : await this.api.session(id).catch(() => null);
    if (signal.aborted) return;
    if (error.status === 404 || after?.state === "ended") this.finish(after?.reason ?? null);
    else this.fail(faultOf(error));
  }

  private finish(reason: string | null, words = endedWords(reason)): void {
    const sessionId = this.running.getSnapshot()?.sessionId ?? null;
    this.release();
    this.set({ name: "ended", since: performance.now(), sessionId, ...words });
  }

  private fail(why: Fault): void {
    this.release();
    const plan = this.plan.getSnapshot();
    // A screen can only be asked for by a click; everything else may be tried again without anybody.
    const alone = why.retryAfterS !== null && plan !== null && plan.choice.kind !== "screen" && this.triesAlone < MAX_TRIES_ALONE;
    const wait = alone && why.retryAfterS !== null ? Math.max(1_000, why.retryAfterS * 1_000) : null;
    this.set({ name: "failed", since: performance.now(), fault: why, retryAt: wait === null ? null : performance.now() + wait });
    if (wait === null || plan === null) return;
    this.triesAlone += 1;
    this.comeback.plan(wait, () => void this.begin(plan), false);
  }

  /** Let go of everything: capture, connection, session. Safe at any time, also while the page goes away. */
  private release(leaving = false): void {
    this.run?.abort();
    this.run = null;
    this.clearTimers();
    if (this.pulse !== null) clearInterval(this.pulse);
    this.pulse = null;
    const closed = this.peer?.close();
    this.peer = null;
    this.letGo();
    this.microphone.close();
    this.media.set(NO_MEDIA);
    this.channel.set("waiting");
    this.feed.close();
    this.numbers.pause();
    const running = this.running.getSnapshot();
    this.running.set(null);
    if (!running?.own) return;
    // The session takes its peers with it: told first, it would answer 404 for the peer.
    if (closed && !leaving) void closed.then(() => this.remove(running.sessionId));
    else this.remove(running.sessionId);
  }

  private letGo(): void {
    if (this.capture) this.capture.track.onended = null;
    closeCapture(this.capture);
    this.capture = null;
  }

  private remove(id: string): void {
    // Nobody is left to tell; the server ends a session without a publisher by itself.
    this.api.remove(`/sessions/${id}`).catch(() => undefined);
  }

  private clearTimers(): void {
    if (this.deadline !== null) clearTimeout(this.deadline);
    this.deadline = null;
    this.comeback.clear();
  }

  private step(done: Partial<Steps>): void {
    const phase = this.phase.getSnapshot();
    if (phase.name === "starting") this.set({ ...phase, steps: { ...phase.steps, ...done } });
  }

  private set(phase: Phase): void {
    this.phase.set(phase);
  }
}
