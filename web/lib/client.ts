import { createApi } from "./api";
import { Cameras } from "./cameras";
import { HealthWatch } from "./health";
import { Router } from "./route";
import { LiveSession } from "./session";
import { SessionList } from "./sessionlist";
import { SessionLog } from "./sessionlog";
import { Snapshots } from "./snapshot";
import { Toasts } from "./toasts";
import { TranscriptLog } from "./transcriptlog";

/** Everything that the page talks to; made once, outside React. */
export interface Client {
  session: LiveSession;
  health: HealthWatch;
  sessions: SessionList;
  log: SessionLog;
  words: TranscriptLog;
  snapshots: Snapshots;
  cameras: Cameras;
  router: Router;
  toasts: Toasts;
}

export function createClient(): Client {
  const api = createApi();
  const toasts = new Toasts();
  return {
    session: new LiveSession(api),
    health: new HealthWatch(api),
    sessions: new SessionList(api),
    log: new SessionLog(api),
    words: new TranscriptLog(api),
    snapshots: new Snapshots(api, toasts),
    cameras: new Cameras(),
    router: new Router(),
    toasts,
  };
}
