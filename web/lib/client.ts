import { Access } from "./access";
import { API_BASE, createApi } from "./api";
import { Cameras } from "./cameras";
import { FileWork } from "./filework";
import { HealthWatch } from "./health";
import { createCall } from "./http";
import { Router } from "./route";
import { LiveSession } from "./session";
import { SessionList } from "./sessionlist";
import { SessionLog } from "./sessionlog";
import { Snapshots } from "./snapshot";
import { Toasts } from "./toasts";
import { TranscriptLog } from "./transcriptlog";

/** Everything that the page talks to; made once, outside React. */
export interface Client {
  access: Access;
  session: LiveSession;
  health: HealthWatch;
  sessions: SessionList;
  log: SessionLog;
  words: TranscriptLog;
  snapshots: Snapshots;
  cameras: Cameras;
  file: FileWork;
  router: Router;
  toasts: Toasts;
}

export function createClient(): Client {
  const fetcher: typeof fetch = (...args) => fetch(...args);
  const access = new Access(createCall(API_BASE, fetcher));
  const api = createApi(API_BASE, fetcher, access.gate);
  const toasts = new Toasts();
  return {
    access,
    session: new LiveSession(api),
    health: new HealthWatch(api),
    sessions: new SessionList(api),
    log: new SessionLog(api),
    words: new TranscriptLog(api),
    snapshots: new Snapshots(api, toasts),
    cameras: new Cameras(),
    file: new FileWork(api),
    router: new Router(),
    toasts,
  };
}
