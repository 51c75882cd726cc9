/** What crosses the wire. Mirrors the server's event models; times are seconds, JSON is camelCase. */

export type Profile = "auto" | "fast" | "accurate" | "cpu-only";
export type Overlay = "smooth" | "exact";
export type ServerState = "connecting" | "live" | "stalled" | "reconnecting" | "paused" | "ended" | "failed";

/** x1, y1, x2, y2 in pixels of the source frame. */
export type Box = readonly [number, number, number, number];

export interface DetectedObject {
  box: Box;
  label: string;
  confidence: number;
  trackId?: number | null;
}

export interface DetectionData {
  frame: { width: number; height: number };
  inferenceMs: number;
  /** 90 kHz ticks of the session's video clock. */
  rtpTime?: number | null;
  /** The publisher's own RTP timestamp of the same frame. */
  sourceRtpTime?: number | null;
  objects: DetectedObject[];
}

export interface ObjectData {
  phase: "entered" | "dwelt" | "left";
  trackId: number;
  label: string;
  /** Seconds on the session clock. */
  firstSeen: number;
  lastSeen: number;
  box: Box;
  confidence: number;
  /** Artifact id of a JPEG of the object at its best so far; absent when there is none. */
  thumbnail?: string | null;
}

export interface MetricData {
  fpsIn: number;
  fpsDetected: number;
  fpsOut: number;
  latencyMs: Record<string, { p50: number; p95: number }>;
  queues: Record<string, number>;
  drops: Record<string, number>;
  cpuPercent: number;
  memoryBytes: number;
  loopLagMs: number;
}

export interface SessionData {
  state: ServerState;
  reason?: string | null;
  change?: Record<string, unknown> | null;
}

export interface SpeechData {
  phase: "started" | "stopped";
}

export interface SpokenWord {
  text: string;
  /** Seconds on the session clock. */
  start: number;
  end: number;
  /** 0 to 1. */
  probability: number;
}

export interface TranscriptData {
  text: string;
  /** A partial may still change; it is live-only, so its `seq` is null. */
  final: boolean;
  /** ISO 639-1. */
  language?: string | null;
  words: readonly SpokenWord[];
  speaker?: string | null;
  /** The model that heard it. */
  engine: string;
}

export interface ErrorBody {
  code: string;
  message: string;
  details?: Record<string, unknown> | null;
}

interface Envelope<K extends string, D> {
  v: 1;
  id: string;
  /** Position among the session's stored events; null for live-only ones. */
  seq: number | null;
  kind: K;
  sessionId: string;
  sourceId: string;
  /** Unix seconds. */
  at: number;
  mediaTime: number | null;
  data: D;
}

export type VedetteEvent =
  | Envelope<"detection", DetectionData>
  | Envelope<"object", ObjectData>
  | Envelope<"speech", SpeechData>
  | Envelope<"transcript", TranscriptData>
  | Envelope<"metric", MetricData>
  | Envelope<"session", SessionData>
  | Envelope<"error", ErrorBody>;

export type Control =
  | { type: "attached"; sessionId: string; role: string; state: ServerState; seq: number; rtpOrigin?: Record<string, number>; clockOrigin?: number | null }
  | { type: "reply"; id?: string; ok: boolean; result?: unknown; error?: ErrorBody }
  | { type: "pong"; id?: string; at: number }
  | { type: "dropped"; what: string; count: number }
  | { type: "gap"; from: number; to: number }
  | { type: "error"; id?: string; error: ErrorBody; fatal: boolean };

/** What is done with a source: its pictures looked at, its sound listened to. */
export type Pipeline = "vision" | "audio";

/** One session, as lists and look-ups tell it. */
export interface SessionInfo {
  sessionId: string;
  sourceId: string;
  source?: { kind: string; name: string } | null;
  pipelines?: readonly string[];
  state: ServerState;
  reason: string | null;
  profile: string;
  overlay: Overlay;
  /** Connections to it now, its publisher's included. */
  peers: number;
  /** The last stored event's number, so also how many there are. */
  seq: number;
  /** Unix seconds. */
  createdAt: number;
  endedAt: number | null;
  /** `batch`: it works through a file, and has no picture to watch. */
  mode?: "realtime" | "batch";
  progress?: Progress | null;
}

/** How far a file is worked through. */
export interface Progress {
  /** 0 to 1, of all that is to be done. */
  share: number;
  /** Seconds of the file. */
  duration: number;
  framesDetected: number;
  /** Times real time. */
  speed: number;
}

/** A stored picture. */
export interface Artifact {
  artifactId: string;
  /** Path on the server. */
  url: string;
  mediaType?: string;
}

/** What turns speech into words, as its self-test found it. */
export interface RecogniserInfo {
  /** Empty while none is loaded, and when none can be had: `reason` says why. */
  name: string;
  /** It is not there yet, and nothing is wrong with that. */
  loading: boolean;
  engine: string;
  reason: string;
  /** True when a recogniser that was asked for could not be had. */
  fallback: boolean;
}

export interface DetectorInfo {
  name: string;
  runtime: string;
  device: string;
  precision: string;
  reason: string;
  /** True when a model that was asked for could not be had. */
  fallback: boolean;
}

const KINDS = new Set(["detection", "object", "speech", "transcript", "metric", "session", "error"]);

/** A data channel's text as an event or a control message; null for what this page does not know. */
export function parseMessage(text: unknown): VedetteEvent | Control | null {
  if (typeof text !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if ("kind" in value) {
    const event = value as VedetteEvent & { data: { truncated?: boolean } };
    // A truncated event carries no fields of its kind: nothing on this page could read it.
    return KINDS.has(event.kind) && event.data && !event.data.truncated ? event : null;
  }
  return "type" in value && typeof value.type === "string" ? (value as Control) : null;
}
