import { Cell, Throttle } from "./store";
import type { SpokenWord, VedetteEvent } from "./types";

const UI_INTERVAL_MS = 100;
const CAPACITY = 500;
/** Live events may be lost: what nothing has renewed for so long is not going on. */
const QUIET_MS = 30_000;
/** A word less probable than this is marked. */
const SURE = 0.5;
/** Times on the wire are rounded. */
const SLACK_S = 0.05;
/**
 * A recogniser may think again about where an utterance's first word began, by less than this. Who speaks without a pause is
 * cut into utterances, and those begin further apart.
 */
const REVISED_S = 5;

type TranscriptEvent = Extract<VedetteEvent, { kind: "transcript" }>;

/** One utterance. */
export interface Line {
  /** The event's id. */
  id: string;
  seq: number | null;
  text: string;
  words: readonly SpokenWord[];
  /** Wall clock of its first word, Unix seconds. */
  at: number;
  language: string | null;
  engine: string;
}

export interface TranscriptView {
  /** What was said, oldest first. */
  lines: readonly Line[];
  /**
   * What is being said, as far as it has been understood; it may still change. The last one is being spoken, those before
   * it wait for their final transcripts.
   */
  partials: readonly Line[];
  /** Somebody speaks now. */
  speaking: boolean;
  /** Lines that are no longer kept here. */
  forgotten: number;
}

const EMPTY: TranscriptView = { lines: [], partials: [], speaking: false, forgotten: 0 };

/** An utterance without its final transcript. */
interface Unfinished {
  line: Line;
  /** Of its first word, and of what has been heard of it; media seconds. */
  start: number;
  end: number;
}

/**
 * Wall clock of media time zero. Events leave some time after what they tell of, never before, so the smallest
 * difference that was seen is the best.
 */
export class ClockOrigin {
  /** Unix seconds; infinite before the first event. */
  at = Infinity;

  /** Session events are left out: theirs is not the time of anything seen or heard. */
  see({ kind, at, mediaTime }: VedetteEvent): void {
    const heardOrSeen = kind === "detection" || kind === "transcript" || kind === "speech";
    if (heardOrSeen && mediaTime !== null) this.at = Math.min(this.at, at - mediaTime);
  }
}

/** @param origin wall clock of media time zero, Unix seconds */
export function lineOf(event: TranscriptEvent, origin: number): Line {
  const { text, words, language, engine } = event.data;
  const start = words[0]?.start ?? event.mediaTime;
  const at = start !== null && Number.isFinite(origin) ? origin + start : event.at;
  return { id: event.id, seq: event.seq, text, words, at, language: language ?? null, engine };
}

/** Up to where it has been heard, media seconds; where those are unknown, the order in which events left will do. */
function endOf({ mediaTime, at }: TranscriptEvent): number {
  return mediaTime ?? at;
}

/** The text in pieces, each sure or not; a word that the text spells differently is passed over. */
export function marked({ text, words }: Pick<Line, "text" | "words">): { text: string; probability: number | null }[] {
  const pieces: { text: string; probability: number | null }[] = [];
  let done = 0;
  let searched = 0;
  for (const word of words) {
    const wanted = word.text.trim();
    const from = wanted === "" ? -1 : text.indexOf(wanted, searched);
    if (from < 0) continue;
    searched = from + wanted.length;
    if (word.probability >= SURE) continue;
    if (from > done) pieces.push({ text: text.slice(done, from), probability: null });
    pieces.push({ text: wanted, probability: word.probability });
    done = searched;
  }
  if (done < text.length) pieces.push({ text: text.slice(done), probability: null });
  return pieces;
}

/** What was said before `end`, media seconds; the whole where its words have no times. */
function until({ line, start }: Unfinished, end: number): Unfinished {
  const words = line.words.filter((word) => word.start < end);
  let length = words.length === line.words.length ? line.text.length : 0;
  for (const word of words) length = Math.max(length, line.text.indexOf(word.text.trim(), length) + word.text.trim().length);
  return { line: { ...line, words, text: line.text.slice(0, length) }, start, end };
}

/**
 * What is said in one session, published at most ten times a second.
 *
 * Live events overtake stored ones and each other, some are lost, and a final may be told after partials of the next
 * utterance, so what belongs to what is told by media time: utterances never overlap.
 */
export class Transcript {
  readonly view = new Cell<TranscriptView>(EMPTY);
  private lines: Line[] = [];
  private forgotten = 0;
  /** In the order in which they were spoken. */
  private unfinished: Unfinished[] = [];
  private speaking = false;
  /** Media time up to which everything is final. */
  private finalUntil = -Infinity;
  /** When the newest word on who speaks left the server; minus infinity before the first on this connection. */
  private speechAt = -Infinity;
  private origin = new ClockOrigin();
  private stale = false;
  private quiet: ReturnType<typeof setTimeout> | null = null;
  private readonly publisher = new Throttle(() => this.publish(), UI_INTERVAL_MS);

  open(): void {
    this.close();
    this.lines = [];
    this.forgotten = 0;
    this.finalUntil = this.speechAt = -Infinity;
    this.origin = new ClockOrigin();
    this.view.set(EMPTY);
  }

  /** Nothing more comes; what was said stays for reading. */
  close(): void {
    this.publisher.cancel();
    this.interrupt();
    this.publisher.cancel();
    this.publish();
  }

  /** The connection is gone: what was being said then, nobody here knows. The server tells finals again. */
  interrupt = (): void => {
    this.listen(false);
    this.unfinished = [];
    this.speaking = false;
    this.speechAt = -Infinity;
    this.publisher.poke();
  };

  /** Take an event that was not seen before. */
  add(event: VedetteEvent): void {
    this.origin.see(event);
    if (event.kind === "speech") this.speech(event.data.phase === "started", event.at);
    if (event.kind !== "transcript") return;
    if (event.data.final) this.final(event);
    else this.partly(event);
  }

  private speech(started: boolean, at: number): void {
    if (at < this.speechAt) return;
    this.speechAt = at;
    this.speaking = started;
    this.listen(started || this.unfinished.length > 0);
    this.publisher.poke();
  }

  private partly(event: TranscriptEvent): void {
    const end = endOf(event);
    const start = event.data.words[0]?.start ?? this.unfinished.at(-1)?.start ?? end;
    if (start < this.finalUntil - SLACK_S) return;
    const same = this.unfinished.find((other) => start <= other.end && other.start <= end && Math.abs(start - other.start) < REVISED_S);
    if (same && end < same.end) return;
    const others = this.unfinished.filter((other) => other !== same).map((other) => (other.start < start && start < other.end ? until(other, start) : other));
    const line = { ...lineOf(event, this.origin.at), id: same?.line.id ?? event.id };
    const said = event.data.text === "" ? [] : [{ line, start, end }];
    this.unfinished = [...others, ...said].sort((one, other) => one.start - other.start);
    this.guess();
    this.listen(true);
    this.publisher.poke();
  }

  private final(event: TranscriptEvent): void {
    const end = endOf(event);
    this.finalUntil = Math.max(this.finalUntil, end);
    this.unfinished = this.unfinished.filter(({ start }) => start >= end - SLACK_S);
    // An empty one only takes back what was shown.
    if (event.data.text !== "") this.keep(lineOf(event, this.origin.at));
    this.guess();
    this.publisher.poke();
  }

  /** Whoever came while somebody spoke was not told of it, but hears it. */
  private guess(): void {
    if (this.speechAt === -Infinity) this.speaking = this.unfinished.length > 0;
  }

  private keep(line: Line): void {
    const { seq } = line;
    const later = seq === null ? -1 : this.lines.findIndex((other) => other.seq !== null && other.seq > seq);
    this.lines.splice(later < 0 ? this.lines.length : later, 0, line);
    while (this.lines.length > CAPACITY) {
      this.lines.shift();
      this.forgotten += 1;
    }
    this.stale = true;
  }

  private listen(on: boolean): void {
    if (this.quiet !== null) clearTimeout(this.quiet);
    this.quiet = on ? setTimeout(this.interrupt, QUIET_MS) : null;
  }

  private publish(): void {
    const { forgotten, speaking } = this;
    const lines = this.stale ? [...this.lines] : this.view.getSnapshot().lines;
    this.stale = false;
    this.view.set({ lines, partials: this.unfinished.map(({ line }) => line), speaking, forgotten });
  }
}
