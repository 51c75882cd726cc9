import type { ErrorBody } from "./types";

/** The server answered with an error, or did not answer (`code` "server_gone", `status` 0). */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly details: Record<string, unknown> | null = null,
    /** When to ask again, in seconds, as far as the server says so. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The envelope of errors (`{"error": {code, message}}`); whatever else came back (a proxy's page) is named by its status. */
export async function toApiError(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: Partial<ErrorBody> } | null;
  const error = body?.error;
  const after = retryAfter(response.headers.get("Retry-After"));
  if (error && typeof error.code === "string") {
    return new ApiError(error.code, error.message ?? error.code, response.status, error.details ?? null, after);
  }
  const message = `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiError(BY_STATUS[response.status] ?? "internal", message, response.status, null, after);
}

/** A proxy in between refuses in its own words, and means the same. */
const BY_STATUS: Record<number, string> = { 429: "rate_limited", 503: "overloaded" };

/** Seconds of a Retry-After header; its other form, a date, is not used by this server. */
function retryAfter(value: string | null): number | null {
  const seconds = value === null ? NaN : Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
