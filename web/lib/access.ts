import { ApiError } from "./apierror";
import type { Call } from "./http";
import { Cell } from "./store";

export type Role = "viewer" | "operator" | "admin";

export type AccessView =
  /** Not asked yet, or the server did not say. */
  | { state: "unknown" }
  /** `name`: the token's; null where none is needed. */
  | { state: "in"; role: Role; name: string | null }
  /** A token is asked for. `problem`: why the last one did not do. */
  | { state: "out"; busy: boolean; problem: string | null };

interface Answer {
  needed: boolean;
  role: Role | null;
  name: string | null;
}

const OUT = { state: "out", busy: false, problem: null } as const satisfies AccessView;

/** Who this page is to the server, and signing in and out. The token itself is kept nowhere: the server sets a cookie. */
export class Access {
  readonly view = new Cell<AccessView>({ state: "unknown" });
  private readonly waiting = new Set<() => void>();

  constructor(private readonly call: Call) {}

  /** Ask once at the start, so that the form is there before anything fails. */
  ask = async (): Promise<void> => {
    // Whatever is called next says what is wrong.
    await this.look().catch(() => undefined);
  };

  /** What was called is answered 401: resolves when somebody has signed in. */
  gate = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = () => {
        this.waiting.delete(done);
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        this.waiting.delete(done);
        reject(signal?.reason instanceof Error ? signal.reason : new DOMException("", "AbortError"));
      };
      if (signal?.aborted) return stop();
      this.waiting.add(done);
      signal?.addEventListener("abort", stop, { once: true });
      // What was refused may have been sent before somebody signed in: the server knows.
      if (this.view.getSnapshot().state !== "out") void this.look().catch(() => this.view.set(OUT));
    });

  signIn = async (token: string): Promise<void> => {
    this.view.set({ ...OUT, busy: true });
    try {
      this.take((await (await this.call("POST", "/login", { body: { token: token.trim() } })).json()) as Answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.view.set({ ...OUT, problem: problemOf(error) });
    }
  };

  signOut = async (): Promise<void> => {
    // The server may be gone: its cookie then stays, which the next answer tells.
    await this.call("POST", "/logout").catch(() => undefined);
    await this.ask();
  };

  private async look(): Promise<void> {
    this.take((await (await this.call("GET", "/access")).json()) as Answer);
  }

  private take({ needed, role, name }: Answer): void {
    if (role === null) return this.view.set(needed ? OUT : { state: "unknown" });
    this.view.set({ state: "in", role, name });
    for (const done of [...this.waiting]) done();
  }
}

function problemOf(error: ApiError): string {
  switch (error.code) {
    case "unauthorized":
      return "The server does not know this token. It may have been revoked.";
    case "rate_limited":
      return `Too many tries. The server hears another one in ${Math.max(1, Math.ceil(error.retryAfterS ?? 1))} s.`;
    default:
      return error.message;
  }
}
