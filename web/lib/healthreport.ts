import type { DetectorInfo, RecogniserInfo } from "./types";

export interface Health {
  /** Null where the server does not say. */
  detector: DetectorInfo | null;
  /** Null where the server does not listen at all. */
  recogniser: RecogniserInfo | null;
  /** The self-tests that failed, in words. */
  problems: readonly string[];
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
  return { detector, recogniser: recogniserOf(asRecord(top.checks).recogniser, word), problems };
}

function recogniserOf(value: unknown, word: (value: unknown) => string): RecogniserInfo | null {
  if (value === undefined) return null;
  const check = asRecord(value);
  const name = word(check.model);
  return { name, loading: name === "" && check.status === "ok", engine: word(check.engine), reason: word(check.reason), fallback: check.fallback === true };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
