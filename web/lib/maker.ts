import { type Api, ApiError, type CreatedSession, type SessionOptions } from "./api";
import { pipelinesOf, type Plan, publishes } from "./choice";
import type { Hears } from "./held";

export interface Made {
  sessionId: string;
  iceServers: RTCIceServer[];
  /** True when it was made here, and so ends with this page; a session that is only watched goes on. */
  own: boolean;
  name: string;
  hears: Hears;
}

const NAMES = { camera: "Webcam", screen: "Screen", demo: "Demo" } as const;

/** Makes sessions, one source for each kind; joins those that run already. */
export class SessionMaker {
  private readonly sources = new Map<string, string>();

  constructor(private readonly api: Api) {}

  /** Rejects with ApiError; joining a session that is over is a `conflict` with the server's reason. */
  async make(plan: Plan, signal: AbortSignal): Promise<Made> {
    const { choice, profile, overlay } = plan;
    if (choice.kind === "watch") return this.join(choice.sessionId);
    const name = NAMES[choice.kind];
    const create = async (): Promise<Made> => {
      const known = this.sources.get(name);
      const sourceId = known ?? (await this.api.createSource(publishes(choice) ? "webcam" : "demo", name, signal));
      this.sources.set(name, sourceId);
      const made = await this.session(sourceId, { pipelines: pipelinesOf(plan), profile, overlay }, signal);
      return { ...made, own: true, name };
    };
    const known = this.sources.has(name);
    try {
      return await create();
    } catch (error) {
      // The source was kept from an earlier start; a server with a new database does not know it.
      if (!known || !(error instanceof ApiError && error.code === "not_found")) throw error;
      this.sources.delete(name);
      return create();
    }
  }

  /** A server that cannot listen refuses the pipeline: pictures alone are better than nothing. */
  private async session(sourceId: string, options: SessionOptions, signal: AbortSignal): Promise<CreatedSession & { hears: Hears }> {
    const listens = options.pipelines.includes("audio");
    try {
      return { ...(await this.api.createSession(sourceId, options, signal)), hears: listens ? "yes" : "no" };
    } catch (error) {
      if (!listens || !(error instanceof ApiError && error.status === 400)) throw error;
      return { ...(await this.api.createSession(sourceId, { ...options, pipelines: ["vision"] }, signal)), hears: "cannot" };
    }
  }

  private async join(sessionId: string): Promise<Made> {
    const { state, reason, source, iceServers, pipelines } = await this.api.session(sessionId);
    if (state === "ended" || state === "failed") throw new ApiError("session_over", reason ?? "", 409);
    const hears = pipelines?.includes("audio") ? "yes" : "no";
    return { sessionId, iceServers: iceServers ?? [], own: false, name: source?.name ?? "Session", hears };
  }
}
