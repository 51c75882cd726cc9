import { ApiError } from "./apierror";
import { type Health, parseHealth } from "./healthreport";
import { createCall, type Gate, gated } from "./http";
import type { Artifact, Overlay, Pipeline, Profile, SessionInfo, VedetteEvent } from "./types";
import { type Send, type Uploaded, upload } from "./upload";

export { ApiError, type Health };

/** Where the server is; empty means the page's own origin. */
export const API_BASE = (process.env.NEXT_PUBLIC_API_BASE ?? "").replace(/\/$/, "");

export interface Answer {
  sdp: string;
  peerId: string;
  /** Absolute URL of the peer resource: PATCH trickles, DELETE closes. */
  location: string;
}

export interface CreatedSession {
  sessionId: string;
  /** STUN and TURN servers to connect by; none on a machine of one's own. */
  iceServers: RTCIceServer[];
}

export interface SessionOptions {
  pipelines: readonly Pipeline[];
  profile: Profile;
  overlay?: Overlay;
  /** Of a file: as it was recorded, or as fast as the server can. */
  mode?: "realtime" | "batch";
  /** A batch makes a film, too. */
  record?: boolean;
}

export interface EventPage {
  events: VedetteEvent[];
  next: number | null;
}

export interface Api {
  createSource(kind: "webcam" | "demo", name: string, signal?: AbortSignal): Promise<string>;
  /** Send a file to be a source; `onSent` is told how much is sent, 0 to 1. Rejects also with an AbortError. */
  upload(file: File, onSent: (share: number) => void, signal: AbortSignal): Promise<Uploaded>;
  createSession(sourceId: string, options: SessionOptions, signal?: AbortSignal): Promise<CreatedSession>;
  session(sessionId: string): Promise<SessionInfo & { iceServers?: RTCIceServer[] }>;
  /** Newest first. `next` is the `after` of the next page. */
  sessions(limit: number, after?: string): Promise<{ sessions: SessionInfo[]; next: string | null }>;
  offer(sessionId: string, sdp: string, signal?: AbortSignal): Promise<Answer>;
  trickle(location: string, candidates: readonly RTCIceCandidateInit[], end: boolean): Promise<void>;
  /** The annotated picture of now, kept on the server. */
  snapshot(sessionId: string): Promise<Artifact>;
  /** Stored pictures, or films, of a session. */
  artifacts(sessionId: string, kind: "snapshot" | "thumbnail" | "film", limit: number): Promise<Artifact[]>;
  /** DELETE that outlives the page; a resource that is already gone is fine. */
  remove(pathOrUrl: string): Promise<void>;
  /** @param kinds all when empty */
  events(sessionId: string, after: number, limit: number, kinds?: readonly string[]): Promise<EventPage>;
  health(): Promise<Health>;
}

/** The address of something that the server named by its path. */
export function hrefOf(path: string): string {
  return /^https?:/.test(path) ? path : API_BASE + path;
}

/** The address of a stored picture. */
export function artifactHref(artifactId: string): string {
  return `${API_BASE}/artifacts/${encodeURIComponent(artifactId)}`;
}

/**
 * REST calls of one server. Every method rejects with `ApiError`, or with an AbortError when its signal is aborted.
 *
 * @param gate what a call waits for that is answered 401; without it, that is an error like others
 */
export function createApi(base: string = API_BASE, fetcher: typeof fetch = (...args) => fetch(...args), gate?: Gate, sender?: Send): Api {
  const url = (path: string) => (/^https?:/.test(path) ? path : base + path);
  const plain = createCall(base, fetcher);
  const call = gate ? gated(plain, gate) : plain;

  const get = async <T>(path: string) => (await (await call("GET", path)).json()) as T;
  const post = async <T>(path: string, body: unknown, signal?: AbortSignal) => (await (await call("POST", path, { body, signal })).json()) as T;

  return {
    createSource: async (kind, name, signal) => (await post<{ sourceId: string }>("/sources", { kind, name }, signal)).sourceId,

    upload: async (file, onSent, signal) => {
      for (;;) {
        try {
          return await upload(base, file, onSent, signal, sender);
        } catch (error) {
          if (!gate || !(error instanceof ApiError && error.status === 401)) throw error;
          await gate(signal);
        }
      }
    },

    createSession: (sourceId, options, signal) => post<CreatedSession>("/sessions", { sourceId, ...options }, signal),

    session: (sessionId) => get(`/sessions/${sessionId}`),

    sessions: (limit, after) => get(`/sessions?order=newest&limit=${limit}${after ? `&after=${after}` : ""}`),

    offer: async (sessionId, sdp, signal) => {
      const response = await call("POST", `/sessions/${sessionId}/offer`, { body: { type: "offer", sdp }, signal });
      const body = (await response.json()) as { sdp: string; peerId: string };
      const location = response.headers.get("Location") ?? `/sessions/${sessionId}/peers/${body.peerId}`;
      return { ...body, location: url(location) };
    },

    trickle: async (location, candidates, end) =>
      void (await call("PATCH", location, { body: { candidates, ...(end ? { end } : {}) } })),

    snapshot: (sessionId) => post<Artifact>(`/sessions/${sessionId}/snapshot`, { annotated: true }),

    artifacts: async (sessionId, kind, limit) =>
      (await get<{ artifacts: Artifact[] }>(`/sessions/${sessionId}/artifacts?kind=${kind}&limit=${limit}`)).artifacts,

    remove: async (pathOrUrl) => {
      try {
        await call("DELETE", pathOrUrl, { keepalive: true });
      } catch (error) {
        if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 0)) throw error;
      }
    },

    events: (sessionId, after, limit, kinds = []) => {
      const kind = kinds.length > 0 ? `&kind=${kinds.join(",")}` : "";
      return get<EventPage>(`/sessions/${sessionId}/events?after=${after}&limit=${limit}${kind}`);
    },

    health: async () => {
      // A failing self-test answers 503 with the same body: it is still the news this page wants.
      const response = await call("GET", "/health", { also: [503] });
      return parseHealth(await response.json().catch(() => null));
    },
  };
}
