import type { Overlay, Pipeline, Profile } from "./types";

/** What is to be watched. */
export type Choice =
  | { kind: "demo" }
  | { kind: "camera"; deviceId: string | null }
  | { kind: "screen" }
  /** Somebody's running session, as one more viewer. */
  | { kind: "watch"; sessionId: string };

/** The kinds that a session can be started on. */
export type StartKind = Exclude<Choice["kind"], "watch">;

/** What is watched and how, as it was asked for. */
export interface Plan {
  choice: Choice;
  profile: Profile;
  overlay: Overlay;
  /** A camera's sound is listened to; the others have their own sound or none. */
  microphone: boolean;
}

/** True when this page sends the picture; otherwise the server has it, and the page only looks. */
export function publishes(choice: Choice): boolean {
  return choice.kind === "camera" || choice.kind === "screen";
}

/** What a session for this plan is to do. */
export function pipelinesOf({ choice, microphone }: Plan): readonly Pipeline[] {
  const listens = choice.kind === "demo" || (choice.kind === "camera" && microphone);
  return listens ? ["vision", "audio"] : ["vision"];
}
