import { type Api, ApiError } from "./api";
import { type Choice, publishes } from "./choice";
import type { Overlay, Profile } from "./types";

export interface Made {
  sessionId: string;
  iceServers: RTCIceServer[];
  /** True when it was made here, and so ends with this page; a session that is only watched goes on. */
  own: boolean;
  name: string;
}

const NAMES = { camera: "Webcam", screen: "Screen", demo: "Demo" } as const;

/** Makes sessions, one source for each kind; joins those that run already. */
export class SessionMaker {
  private readonly sources = new Map<string, string>();

  constructor(private readonly api: Api) {}

  /** Rejects with ApiError; joining a session that is over is a `conflict` with the server's reason. */
  async make(choice: Choice, profile: Profile, overlay: Overlay, signal: AbortSignal): Promise<Made> {
    if (choice.kind === "watch") return this.join(choice.sessionId);
    const name = NAMES[choice.kind];
    const create = async () => {
      const known = this.sources.get(name);
      const sourceId = known ?? (await this.api.createSource(publishes(choice) ? "webcam" : "demo", name, signal));
      this.sources.set(name, sourceId);
      return this.api.createSession(sourceId, profile, overlay, signal);
    };
    const known = this.sources.has(name);
    try {
      return { ...(await create()), own: true, name };
    } catch (error) {
      // The source was kept from an earlier start; a server with a new database does not know it.
      if (!known || !(error instanceof ApiError && error.code === "not_found")) throw error;
      this.sources.delete(name);
      return { ...(await create()), own: true, name };
    }
  }

  private async join(sessionId: string): Promise<Made> {
    const { state, reason, source, iceServers } = await this.api.session(sessionId);
    if (state === "ended" || state === "failed") throw new ApiError("session_over", reason ?? "", 409);
    return { sessionId, iceServers: iceServers ?? [], own: false, name: source?.name ?? "Session" };
  }
}
