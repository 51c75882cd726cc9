import { duration } from "@/lib/format";
import type { Phase } from "@/lib/phase";
import type { ServerState } from "@/lib/types";

export type Tone = "quiet" | "accent" | "live" | "degraded" | "stalled" | "failed";

/** The state in words, without numbers that change every second: for the pill and for screen readers. */
export function stateWords(phase: Phase, watching = false): { text: string; tone: Tone } {
  switch (phase.name) {
    case "idle":
      return { text: "Not started", tone: "quiet" };
    case "starting":
      return { text: "Connecting", tone: "accent" };
    case "live":
      return { text: watching ? "Watching" : "Live", tone: "live" };
    case "stalled":
      return { text: phase.cause === "source" ? "No pictures" : "Stalled", tone: "stalled" };
    case "reconnecting":
      return { text: "Reconnecting", tone: "stalled" };
    case "ended":
      return { text: "Ended", tone: "quiet" };
    case "failed":
      return { text: "Failed", tone: "failed" };
  }
}

/** How long the state has lasted, or nothing where that says nothing. */
export function stateAge(phase: Phase, now: number): string {
  return phase.name === "idle" ? "" : duration((now - phase.since) / 1_000);
}

/** The server's own word for a session's state, for a person. */
export const SERVER_STATES: Record<ServerState, { text: string; tone: Tone }> = {
  connecting: { text: "Connecting", tone: "accent" },
  live: { text: "Live", tone: "live" },
  stalled: { text: "No pictures", tone: "stalled" },
  reconnecting: { text: "Reconnecting", tone: "stalled" },
  paused: { text: "Paused", tone: "degraded" },
  ended: { text: "Ended", tone: "quiet" },
  failed: { text: "Failed", tone: "failed" },
};
