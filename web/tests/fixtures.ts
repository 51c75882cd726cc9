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

type Said = Extract<VedetteEvent, { kind: "transcript" }>;

/** Partial when it has no seq, as from the server; `change` is of the envelope. */
export function said(seq: number | null, text: string, change: Partial<Said> = {}): Said {
  const base = envelope(seq ?? 0);
  const data = { text, final: seq !== null, language: "en", words: [], speaker: null, engine: "fake" };
  return { ...base, id: `t${seq}-${text}`, seq, kind: "transcript", data, ...change };
}

export function speech(phase: "started" | "stopped", at: number): Extract<VedetteEvent, { kind: "speech" }> {
  return { ...envelope(0), id: `${phase}${at}`, seq: null, at, kind: "speech", data: { phase } };
}
