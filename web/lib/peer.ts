import type { Api, Answer } from "./api";
import { vp8First, withSoundApart, withStartBitrate } from "./sdp";
import { type Control, parseMessage, type VedetteEvent } from "./types";

const PROTOCOL = "vedette.v1";
const START_KBPS = 1_800;
const MAX_BPS = 2_500_000;
const LOG_WORKER = "/sent-log-worker.js";

export interface PeerHandlers {
  onMessage(message: VedetteEvent | Control): void;
  /** A track came back; all of them are in the one stream. */
  onStream(stream: MediaStream): void;
  onConnection(state: RTCPeerConnectionState): void;
  /** The events channel closed under a standing connection: the feed would freeze and look alive. */
  onEventsClosed(): void;
  /** A frame left this page's encoder; `at` in ms since the Unix epoch. */
  onSent(rtp: number, at: number): void;
}

/** Running totals of one connection, from getStats; a rate is the difference of two. */
export interface Counters {
  /** Document time of this reading, ms. */
  at: number;
  framesDecoded: number;
  /** Null for a peer that only looks. */
  framesSent: number | null;
  framesDropped: number;
  packetsLost: number;
  bytesSent: number;
  framesEncoded: number;
  encodeMs: number;
  width: number;
  height: number;
  roundTripMs: number | null;
}

/** What a peer does: send a picture and get it back annotated, or only look (and listen). */
export type PeerRole = "publisher" | "viewer";

/** One peer connection: a picture goes out or not, the annotated one and two data channels come back. Used once. */
export class Peer {
  private readonly pc: RTCPeerConnection;
  private readonly transceiver: RTCRtpTransceiver;
  /** Of a publisher that may send sound, else null. */
  private readonly sound: RTCRtpTransceiver | null = null;
  private readonly events: RTCDataChannel;
  private readonly worker: Worker | null = null;
  private readonly returned = new MediaStream();
  private readonly waiting: RTCIceCandidateInit[] = [];
  private gathered = false;
  private answer: Answer | null = null;
  private closed = false;

  /** True unless outgoing RTP times are needed and cannot be seen here. */
  readonly measures: boolean;

  constructor(
    private readonly api: Api,
    private readonly sessionId: string,
    private readonly handlers: PeerHandlers,
    private readonly role: PeerRole,
    /** A publisher sends sound, too. */
    sound: boolean,
    iceServers: RTCIceServer[] = [],
  ) {
    this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.waiting.push(candidate.toJSON());
      else this.gathered = true;
      void this.trickle();
    };
    this.pc.onconnectionstatechange = () => handlers.onConnection(this.pc.connectionState);
    this.pc.ontrack = ({ track, receiver }) => {
      // The server already paced these frames; every millisecond of buffer here would be added to the delay that is seen.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      // One's own voice comes back as an echo: nobody wants to hear it.
      if (role === "viewer" || track.kind === "video") this.returned.addTrack(track);
      handlers.onStream(this.returned);
    };

    this.events = this.pc.createDataChannel("events", { ordered: true, protocol: PROTOCOL });
    const live = this.pc.createDataChannel("live", { ordered: false, maxRetransmits: 0, protocol: PROTOCOL });
    for (const channel of [this.events, live]) channel.onmessage = ({ data }) => this.receive(data);
    this.events.onclose = () => {
      if (!this.closed && this.pc.connectionState === "connected") handlers.onEventsClosed();
    };

    const video: RTCRtpTransceiverInit =
      role === "publisher"
        ? { direction: "sendrecv", sendEncodings: [{ maxBitrate: MAX_BPS, maxFramerate: 30 }] }
        : { direction: "recvonly" };
    this.transceiver = this.pc.addTransceiver("video", video);
    // Where the source has no sound the server declines this section, and nothing comes of it.
    if (role === "viewer") this.pc.addTransceiver("audio", { direction: "recvonly" });
    else if (sound) this.sound = this.pc.addTransceiver("audio", { direction: "sendrecv" });
    const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
    if (codecs && "setCodecPreferences" in this.transceiver) this.transceiver.setCodecPreferences(vp8First(codecs));
    this.worker = role === "publisher" ? this.logSentFrames() : null;
    this.measures = role === "viewer" || this.worker !== null;
  }

  /** The returned track's media id: `attached` gives RTP origins by it. Null before the answer. */
  get mid(): string | null {
    return this.transceiver.mid;
  }

  /** Send this track; before or after `open`, without a new offer. */
  async setTrack(track: MediaStreamTrack): Promise<void> {
    await this.transceiver.sender.replaceTrack(track);
    const parameters = this.transceiver.sender.getParameters();
    // Small people need pixels more than they need every frame. Firefox lacks the field and may refuse it.
    Object.assign(parameters, { degradationPreference: "maintain-resolution" });
    await this.transceiver.sender.setParameters(parameters).catch(() => undefined);
  }

  /** Send this sound, or none any more; a peer that was made without sound passes it over. */
  async setSound(track: MediaStreamTrack | null): Promise<void> {
    await this.sound?.sender.replaceTrack(track);
  }

  /**
   * Offer at once and trickle after the answer (RFC 8838).
   *
   * @param after the last seq that was seen: the server sends every stored event after it, 0 for all
   */
  async open(after: number, signal: AbortSignal): Promise<void> {
    this.events.onopen = () => this.events.send(JSON.stringify({ type: "attach", after }));
    await this.pc.setLocalDescription();
    const { sdp } = this.pc.localDescription as RTCSessionDescription;
    const answer = await this.api.offer(this.sessionId, sdp, signal);
    if (this.closed) {
      await this.api.remove(answer.location).catch(() => undefined);
      return;
    }
    this.answer = answer;
    await this.pc.setRemoteDescription({ type: "answer", sdp: withSoundApart(withStartBitrate(answer.sdp, START_KBPS)) });
    await this.trickle();
  }

  /** Ask the server for its clock; it answers with a `pong` of the same id. Nothing when there is no channel yet. */
  ping(id: string): void {
    if (this.events.readyState === "open") this.events.send(JSON.stringify({ type: "ping", id }));
  }

  async counters(): Promise<Counters> {
    const totals: Counters = {
      at: performance.now(),
      framesDecoded: 0,
      framesSent: this.role === "viewer" ? null : 0,
      framesDropped: 0,
      packetsLost: 0,
      bytesSent: 0,
      framesEncoded: 0,
      encodeMs: 0,
      width: 0,
      height: 0,
      roundTripMs: null,
    };
    for (const report of (await this.pc.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "video") {
        totals.framesDecoded = report.framesDecoded ?? 0;
        totals.framesDropped = report.framesDropped ?? 0;
        totals.packetsLost = Math.max(0, report.packetsLost ?? 0);
        totals.width = report.frameWidth ?? 0;
        totals.height = report.frameHeight ?? 0;
      } else if (report.type === "outbound-rtp" && report.kind === "video") {
        totals.framesSent = report.framesSent ?? 0;
        totals.bytesSent = report.bytesSent ?? 0;
        totals.framesEncoded = report.framesEncoded ?? 0;
        totals.encodeMs = (report.totalEncodeTime ?? 0) * 1_000;
      } else if (report.type === "candidate-pair" && report.nominated && report.currentRoundTripTime !== undefined) {
        totals.roundTripMs = report.currentRoundTripTime * 1_000;
      }
    }
    return totals;
  }

  /** Close here at once, and tell the server, even while the page goes away. Resolves when it knows or cannot be told. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    // Before the connection closes: the server that notices first has no peer left to delete.
    const told = this.answer ? this.api.remove(this.answer.location).catch(() => undefined) : undefined;
    this.worker?.terminate();
    this.pc.onconnectionstatechange = null;
    this.pc.close();
    await told;
  }

  private receive(data: unknown): void {
    const message = this.closed ? null : parseMessage(data);
    if (message) this.handlers.onMessage(message);
  }

  private async trickle(): Promise<void> {
    if (!this.answer || this.closed || (this.waiting.length === 0 && !this.gathered)) return;
    const candidates = this.waiting.splice(0);
    const end = this.gathered;
    this.gathered = false;
    // A candidate that is refused or lost may cost a path, never the call: the answer's own candidates remain.
    await this.api.trickle(this.answer.location, candidates, end).catch(() => undefined);
  }

  /** Chromium wants the transform on before negotiation. Null where there is none. */
  private logSentFrames(): Worker | null {
    if (!("RTCRtpScriptTransform" in globalThis)) return null;
    const worker = new Worker(LOG_WORKER);
    worker.onmessage = ({ data }: MessageEvent<{ rtp: number; at: number }>) => this.handlers.onSent(data.rtp, data.at);
    this.transceiver.sender.transform = new RTCRtpScriptTransform(worker, {});
    return worker;
  }
}
