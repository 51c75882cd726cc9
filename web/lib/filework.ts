import { type Api, ApiError } from "./api";
import { type Fault, fault, faultOf } from "./faults";
import { Cell } from "./store";
import type { Artifact, Pipeline, Profile, SessionInfo } from "./types";
import type { MediaFound } from "./upload";

const LOOK_MS = 500;

export type FileMode = "batch" | "realtime";

export interface FileOptions {
  mode: FileMode;
  profile: Profile;
  /** In a batch: a film with what is found drawn on it is wanted, too. */
  film: boolean;
}

/** What works, for those whose file does not. */
export interface Works {
  formats: readonly string[];
  videoCodecs: readonly string[];
  audioCodecs: readonly string[];
}

export type FileView =
  | { state: "idle" }
  /** `sent`: 0 to 1; at 1 the server looks at the file. */
  | { state: "sending"; name: string; sent: number }
  | { state: "running"; name: string; mode: FileMode; media: MediaFound | null; session: SessionInfo }
  /** `problems`: what went wrong on the way, in the server's words. */
  | { state: "done"; name: string; mode: FileMode; session: SessionInfo; film: Artifact | null; problems: readonly string[] }
  | { state: "failed"; name: string; fault: Fault; works: Works | null };

/**
 * One file from this computer: sent, worked through or played, and taken away from the server again once its session is
 * over. What the session has found stays there.
 */
export class FileWork {
  readonly view = new Cell<FileView>({ state: "idle" });
  private asked: AbortController | null = null;
  private sourceId: string | null = null;

  constructor(private readonly api: Api) {}

  /** Send a file and start a session on it; resolves with the session's id, or with null when it did not come to that. */
  open = async (file: File, options: FileOptions): Promise<string | null> => {
    if (this.view.getSnapshot().state === "running") return null;
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const { name } = file;
    this.view.set({ state: "sending", name, sent: 0 });
    try {
      const onSent = (sent: number) => !asked.signal.aborted && this.view.set({ state: "sending", name, sent });
      const { sourceId, media } = await this.api.upload(file, onSent, asked.signal);
      this.sourceId = sourceId;
      const session = await this.start(sourceId, media, options, asked.signal);
      if (asked.signal.aborted) throw new DOMException("", "AbortError");
      this.view.set({ state: "running", name, mode: options.mode, media, session });
      void this.follow(name, options.mode, media, session.sessionId, asked.signal);
      return session.sessionId;
    } catch (error) {
      this.release();
      if (asked.signal.aborted) return null;
      this.view.set({ state: "failed", name, fault: uploadFault(error), works: worksOf(error) });
      return null;
    }
  };

  /** Stop sending, or end the session: what it has found until then is kept and shown. */
  stop = async (): Promise<void> => {
    const view = this.view.getSnapshot();
    if (view.state === "running") await this.api.remove(`/sessions/${view.session.sessionId}`).catch(() => undefined);
    else if (view.state === "sending") this.clear();
  };

  /** Be ready for another file; one that is still worked on is given up. */
  clear = (): void => {
    this.asked?.abort();
    this.release();
    this.view.set({ state: "idle" });
  };

  /** The page goes away: nobody would take the file away later. */
  leave(): void {
    this.asked?.abort();
    this.release();
  }

  private async start(sourceId: string, media: MediaFound | null, { mode, profile, film }: FileOptions, signal: AbortSignal): Promise<SessionInfo> {
    const pipelines: Pipeline[] = [...(media?.video ? (["vision"] as const) : []), ...(media?.audio ? (["audio"] as const) : [])];
    const record = mode === "batch" && film && media?.video !== null;
    const { sessionId } = await this.api.createSession(sourceId, { pipelines, profile, mode, ...(record ? { record } : {}) }, signal);
    return this.api.session(sessionId);
  }

  /** Look at the session until it is over. */
  private async follow(name: string, mode: FileMode, media: MediaFound | null, sessionId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (signal.aborted) return;
      try {
        const session = await this.api.session(sessionId);
        if (signal.aborted) return;
        if (session.state !== "ended" && session.state !== "failed") {
          this.view.set({ state: "running", name, mode, media, session });
          continue;
        }
        this.release();
        const [films, { events }] = await Promise.all([
          this.api.artifacts(sessionId, "film", 1).catch(() => []),
          this.api.events(sessionId, 0, 50, ["error"]).catch(() => ({ events: [] })),
        ]);
        if (signal.aborted) return;
        const problems = events.flatMap((event) => (event.kind === "error" ? [event.data.message] : []));
        this.view.set({ state: "done", name, mode, session, film: films[0] ?? null, problems });
        return;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // A server that is away for a moment comes back, and knows how it went on.
        if (error.code !== "not_found") continue;
        this.release();
        this.view.set({ state: "failed", name, fault: faultOf(error), works: null });
        return;
      }
    }
  }

  /** Have the server remove the file, so that it does not fill the room for others. */
  private release(): void {
    const sourceId = this.sourceId;
    this.sourceId = null;
    if (sourceId !== null) void this.api.remove(`/sources/${sourceId}`).catch(() => undefined);
  }
}

const WORDS: Record<string, { title: string; text: string }> = {
  unsupported_media: { title: "This file cannot be read", text: "The server says:" },
  payload_too_large: { title: "This file is too large", text: "The server says:" },
  storage_full: { title: "No room for another file", text: "The server says:" },
  source_unreachable: { title: "The file is gone", text: "It was removed before its session began." },
};

/** Why a file came to nothing. */
export function uploadFault(error: unknown): Fault {
  const words = error instanceof ApiError ? WORDS[error.code] : undefined;
  if (error instanceof ApiError && words) {
    return { ...fault(error.code), title: words.title, text: `${words.text} ${error.message}`.trim(), retryAfterS: null };
  }
  return error instanceof ApiError ? faultOf(error) : fault("internal", error instanceof Error ? error.message : String(error));
}

function worksOf(error: unknown): Works | null {
  if (!(error instanceof ApiError)) return null;
  const list = (name: string) => {
    const found = error.details?.[name];
    return Array.isArray(found) ? found.filter((each): each is string => typeof each === "string") : [];
  };
  const works = { formats: list("formats"), videoCodecs: list("videoCodecs"), audioCodecs: list("audioCodecs") };
  return works.formats.length > 0 ? works : null;
}
