import type { Fault } from "./faults";

/** What the way to the first picture still waits for. They run side by side. */
export interface Steps {
  camera: boolean;
  session: boolean;
  connection: boolean;
}

/** Where a session stands, as the page says it. `since` is document time in ms. */
export type Phase =
  | { name: "idle" }
  | { name: "starting"; since: number; steps: Steps }
  | { name: "live"; since: number }
  | { name: "stalled"; since: number; cause: "camera" | "server" }
  | { name: "reconnecting"; since: number; attempt: number; retryAt: number | null; cause: string }
  | { name: "ended"; since: number; reason: string }
  | { name: "failed"; since: number; fault: Fault };

export type PhaseName = Phase["name"];

/** True while a session is held on the server. */
export function isActive(phase: Phase): boolean {
  return phase.name === "starting" || phase.name === "live" || phase.name === "stalled" || phase.name === "reconnecting";
}
