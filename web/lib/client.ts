import { createApi } from "./api";
import { HealthWatch } from "./health";
import { LiveSession } from "./session";

/** Everything that the page talks to; made once, outside React. */
export interface Client {
  session: LiveSession;
  health: HealthWatch;
}

export function createClient(): Client {
  const api = createApi();
  return { session: new LiveSession(api), health: new HealthWatch(api) };
}
