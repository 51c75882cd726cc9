import type { ServerState, VedetteEvent } from "@/lib/types";

const envelope = (seq: number) => ({
  v: 1 as const,
  id: `e${seq}`,
  seq,
  sessionId: "s",
  sourceId: "c",
  at: 1_700_000_000 + seq,
  mediaTime: seq,
});

export function object(seq: number): Extract<VedetteEvent, { kind: "object" }> {
  const data = { phase: "entered" as const, trackId: seq, label: "person", firstSeen: 0, lastSeen: 1, box: [0, 0, 1, 1] as const, confidence: 0.9 };
  return { ...envelope(seq), kind: "object", data };
}

export function session(seq: number, state: ServerState): Extract<VedetteEvent, { kind: "session" }> {
  return { ...envelope(seq), kind: "session", data: { state, reason: null } };
}
