import type { DetectorInfo, ErrorBody, Overlay, Profile, ServerState, VedetteEvent } from "./types";

/** Where the server is; empty means the page's own origin. */
export const API_BASE = (process.env.NEXT_PUBLIC_API_BASE ?? "").replace(/\/$/, "");

const TIMEOUT_MS = 20_000;

/** The server answered with an error, or did not answer (`code` "server_gone", `status` 0). */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly details: Record<string, unknown> | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export interface Answer {
  sdp: string;
  peerId: string;
  /** Absolute URL of the peer resource: PATCH trickles, DELETE closes. */
  location: string;
}

export interface Health {
  /** Null where the server does not say. */
  detector: DetectorInfo | null;
  /** The self-tests that failed, in words. */
  problems: readonly string[];
}

export interface CreatedSession {
  sessionId: string;
  /** STUN and TURN servers to connect by; none on a machine of one's own. */
  iceServers: RTCIceServer[];
}

export interface Api {
  createSource(name: string, signal?: AbortSignal): Promise<string>;
  createSession(sourceId: string, profile: Profile, overlay: Overlay, signal?: AbortSignal): Promise<CreatedSession>;
  sessionState(sessionId: string): Promise<{ state: ServerState; reason: string | null }>;
  offer(sessionId: string, sdp: string, signal?: AbortSignal): Promise<Answer>;
  trickle(location: string, candidates: readonly RTCIceCandidateInit[], end: boolean): Promise<void>;
  /** DELETE that outlives the page; a resource that is already gone is fine. */
  remove(pathOrUrl: string): Promise<void>;
  events(sessionId: string, after: number, limit: number): Promise<{ events: VedetteEvent[]; next: number | null }>;
  health(): Promise<Health>;
}

/** REST calls of one server. Every method rejects with `ApiError`, or with an AbortError when its signal is aborted. */
export function createApi(base: string = API_BASE, fetcher: typeof fetch = (...args) => fetch(...args)): Api {
  const url = (path: string) => (/^https?:/.test(path) ? path : base + path);

  async function call(method: string, path: string, body?: unknown, options: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      response = await fetcher(url(path), {
        method,
        ...options,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new ApiError("server_gone", "The server does not answer.", 0);
    }
    if (!response.ok) throw await toApiError(response);
    return response;
  }

  const post = async <T>(path: string, body: unknown, signal?: AbortSignal) =>
    (await (await call("POST", path, body, { signal: signal ?? null })).json()) as T;

  return {
    createSource: async (name, signal) =>
      (await post<{ sourceId: string }>("/sources", { kind: "webcam", name }, signal)).sourceId,

    createSession: (sourceId, profile, overlay, signal) =>
      post<CreatedSession>("/sessions", { sourceId, pipelines: ["vision"], profile, overlay }, signal),

    sessionState: async (sessionId) =>
      (await (await call("GET", `/sessions/${sessionId}`)).json()) as { state: ServerState; reason: string | null },

    offer: async (sessionId, sdp, signal) => {
      const response = await call("POST", `/sessions/${sessionId}/offer`, { type: "offer", sdp }, { signal: signal ?? null });
      const body = (await response.json()) as { sdp: string; peerId: string };
      const location = response.headers.get("Location") ?? `/sessions/${sessionId}/peers/${body.peerId}`;
      return { ...body, location: url(location) };
    },

    trickle: async (location, candidates, end) =>
      void (await call("PATCH", location, { candidates, ...(end ? { end } : {}) })),

    remove: async (pathOrUrl) => {
      try {
        await call("DELETE", pathOrUrl, undefined, { keepalive: true });
      } catch (error) {
        if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 0)) throw error;
      }
    },

    events: async (sessionId, after, limit) =>
      (await (await call("GET", `/sessions/${sessionId}/events?after=${after}&limit=${limit}`)).json()) as {
        events: VedetteEvent[];
        next: number | null;
      },

    health: async () => {
      // A failing self-test answers 503 with the same body: it is still the news this page wants.
      let response: Response;
      try {
        response = await fetcher(url("/health"), { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
      } catch {
        throw new ApiError("server_gone", "The server does not answer.", 0);
      }
      return parseHealth(await response.json().catch(() => null));
    },
  };
}

/** The envelope of CONTRACT 2; whatever else came back (a proxy's page) is named by its status. */
export async function toApiError(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: Partial<ErrorBody> } | null;
  const error = body?.error;
  if (error && typeof error.code === "string") {
    return new ApiError(error.code, error.message ?? error.code, response.status, error.details ?? null);
  }
  return new ApiError("internal", `The server answered ${response.status} ${response.statusText}`.trim(), response.status);
}

/** What /health says; every part that is missing or of another type is left out. */
export function parseHealth(body: unknown): Health {
  const top = asRecord(body);
  const info = asRecord(top.detector);
  const word = (value: unknown) => (typeof value === "string" ? value : "");
  const problems = Object.entries(asRecord(top.checks))
    .map(([name, check]) => ({ name, check: asRecord(check) }))
    .filter(({ check }) => check.status === "failed")
    .map(({ name, check }) => `${name}: ${word(check.error) || "failed"}`);
  const detector: DetectorInfo | null = word(info.name)
    ? {
        name: word(info.name),
        runtime: word(info.runtime),
        device: word(info.device),
        precision: word(info.precision),
        reason: word(info.reason),
        fallback: info.fallback === true,
      }
    : null;
  return { detector, problems };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
