import { ApiError, toApiError } from "./apierror";

const TIMEOUT_MS = 20_000;

export interface CallOptions {
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** It outlives the page. */
  keepalive?: boolean;
  /** Statuses that are answers, too, beside those below 400. */
  also?: readonly number[];
}

/** One request. Rejects with ApiError, or with an AbortError when its signal is aborted. */
export type Call = (method: string, path: string, options?: CallOptions) => Promise<Response>;

export function createCall(base: string, fetcher: typeof fetch): Call {
  return async (method, path, { body, signal, keepalive, also = [] } = {}) => {
    let response: Response;
    try {
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      response = await fetcher(/^https?:/.test(path) ? path : base + path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
        ...(keepalive ? { keepalive } : {}),
        // What one is signed in with is a cookie; to another port of the host it goes only when asked to.
        credentials: base === "" ? "same-origin" : "include",
        // Everything is news: no answer of before.
        cache: method === "GET" ? "no-store" : "default",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError("server_gone", "The server does not answer.", 0);
    }
    if (!response.ok && !also.includes(response.status)) throw await toApiError(response);
    return response;
  };
}

/** Resolves when somebody has signed in. Rejects with the reason of an aborted signal. */
export type Gate = (signal?: AbortSignal) => Promise<void>;

/** A call that is answered 401 waits until somebody has signed in, and then goes on as if nothing had been. */
export function gated(call: Call, gate: Gate): Call {
  return async (method, path, options = {}) => {
    for (;;) {
      try {
        return await call(method, path, options);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 401)) throw error;
        await gate(options.signal);
      }
    }
  };
}
