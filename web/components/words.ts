import { duration } from "@/lib/format";
import type { Phase } from "@/lib/phase";

export type Tone = "quiet" | "accent" | "live" | "degraded" | "stalled" | "failed";

/** The state in words, without numbers that change every second: for the pill and for screen readers. */
export function stateWords(phase: Phase): { text: string; tone: Tone } {
  switch (phase.name) {
    case "idle":
      return { text: "Not started", tone: "quiet" };
    case "starting":
      return { text: "Connecting", tone: "accent" };
    case "live":
      return { text: "Live", tone: "live" };
    case "stalled":
      return { text: phase.cause === "camera" ? "Camera stopped" : "Stalled", tone: "stalled" };
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
