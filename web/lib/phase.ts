import type { Fault } from "./faults";

/** What the way to the first picture still waits for. They run side by side. */
export interface Steps {
  /** The camera or the screen; true from the start where the server has the picture. */
  capture: boolean;
  session: boolean;
  connection: boolean;
}

interface Live {
  name: "live";
  since: number;
}

interface Stalled {
  name: "stalled";
  since: number;
  /** `source`: no pictures go in; `server`: they go in, and none comes back. */
  cause: "source" | "server";
}

/** Where a session stands, as the page says it. `since` is document time in ms. */
export type Phase =
  | { name: "idle" }
  | { name: "starting"; since: number; steps: Steps }
  | Live
  | Stalled
  | { name: "reconnecting"; since: number; attempt: number; retryAt: number | null; cause: string }
  | { name: "ended"; since: number; title: string; text: string; sessionId: string | null }
  /** `retryAt`: when it is tried again by itself, document time; null when a person has to. */
  | { name: "failed"; since: number; fault: Fault; retryAt: number | null };

export type PhaseName = Phase["name"];

/** True while a session is held on the server. */
export function isActive(phase: Phase): boolean {
  return phase.name === "starting" || phase.name === "live" || phase.name === "stalled" || phase.name === "reconnecting";
}

/** A stall is noticed when it is this old. */
const STALL_MS = 2_000;

/** Live or stalled after a look at the frames: `cause` is why none came, null when they came. The same phase if nothing changed. */
export function afterPulse(phase: Live | Stalled, cause: Stalled["cause"] | null, now: number): Phase {
  if (cause === null) return phase.name === "live" ? phase : { name: "live", since: now };
  if (phase.name === "stalled") return phase.cause === cause ? phase : { ...phase, cause };
  return { name: "stalled", since: now - STALL_MS, cause };
}
