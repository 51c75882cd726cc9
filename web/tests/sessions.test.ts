import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError } from "@/lib/api";
import { SessionList } from "@/lib/sessionlist";
import { SessionLog } from "@/lib/sessionlog";
import { Snapshots } from "@/lib/snapshot";
import { Toasts } from "@/lib/toasts";
import type { SessionInfo } from "@/lib/types";
import { object } from "./fixtures";

const gone = () => new ApiError("server_gone", "", 0);
const one = (sessionId: string) => ({ sessionId }) as SessionInfo;

describe("SessionList", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function list() {
    const api = { sessions: vi.fn<Api["sessions"]>(async () => ({ sessions: [one("a")], next: null })), remove: vi.fn<Api["remove"]>(async () => undefined) };
    return { api, sessions: new SessionList(api as unknown as Api) };
  }

  it("asks while somebody looks, and not after", async () => {
    const { api, sessions } = list();
    const leave = sessions.watch();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(api.sessions.mock.calls.length).toBeGreaterThanOrEqual(3);
    leave();
    const asked = api.sessions.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(api.sessions).toHaveBeenCalledTimes(asked);
  });

  it("keeps what it knows while the server is gone, and says so", async () => {
    const { api, sessions } = list();
    const leave = sessions.watch();
    await vi.advanceTimersByTimeAsync(0);
    api.sessions.mockRejectedValueOnce(gone());
    await sessions.refresh();
    expect(sessions.view.getSnapshot()).toMatchObject({ state: "gone", sessions: [{ sessionId: "a" }] });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(sessions.view.getSnapshot().state).toBe("ok");
    leave();
  });

  it("stops a session only after there was time to take it back", async () => {
    const { api, sessions } = list();
    sessions.stop("a");
    expect(sessions.view.getSnapshot().stopping.has("a")).toBe(true);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(api.remove).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(200);
    expect(api.remove).toHaveBeenCalledWith("/sessions/a");
    expect(sessions.view.getSnapshot().stopping.size).toBe(0);
  });

  it("does nothing to a session whose stop was taken back", async () => {
    const { api, sessions } = list();
    sessions.stop("a");
    sessions.undo("a");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(api.remove).not.toHaveBeenCalled();
  });

  it("stops at once what was to be stopped when the page goes away", () => {
    const { api, sessions } = list();
    sessions.stop("a");
    sessions.flush();
    expect(api.remove).toHaveBeenCalledWith("/sessions/a");
  });
});

describe("SessionLog", () => {
  /** A server with these seqs stored as object events. */
  function log(seqs: readonly number[]) {
    const events = vi.fn<Api["events"]>(async (_, after, limit) => ({
      events: seqs.filter((seq) => seq > after).slice(0, limit).map(object),
      next: null,
    }));
    return { events, log: new SessionLog({ events, artifacts: async () => [{ artifactId: "x", url: "/artifacts/x" }] } as unknown as Api) };
  }
  const seqs = (of: SessionLog) => of.view.getSnapshot().rows.map(({ seq }) => seq);
  const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

  it("reads the newest first, then older ones, each once", async () => {
    const { log: of } = log(upTo(450));
    of.open("s", 450);
    await vi.waitFor(() => expect(of.view.getSnapshot().busy).toBe(false));
    expect(seqs(of)).toEqual(upTo(450).slice(250).reverse());
    await of.older();
    await of.older();
    expect(seqs(of)).toEqual(upTo(450).reverse());
    expect(of.view.getSnapshot().complete).toBe(true);
  });

  it("goes on through a span with nothing to read", async () => {
    const { log: of } = log([3, 7]);
    of.open("s", 900);
    await vi.waitFor(() => expect(of.view.getSnapshot()).toMatchObject({ busy: false, complete: true }));
    expect(seqs(of)).toEqual([7, 3]);
  });

  it("says what failed, and goes on from there", async () => {
    const { log: of, events } = log(upTo(10));
    events.mockRejectedValueOnce(gone());
    of.open("s", 10);
    await vi.waitFor(() => expect(of.view.getSnapshot().fault?.code).toBe("server_gone"));
    await of.older();
    expect(seqs(of)).toHaveLength(10);
    expect(of.view.getSnapshot().fault).toBeNull();
  });

  it("has the snapshots beside them", async () => {
    const { log: of } = log([1]);
    of.open("s", 1);
    await vi.waitFor(() => expect(of.view.getSnapshot().snapshots).toHaveLength(1));
  });

  it("shows nothing of a session that was left meanwhile", async () => {
    const { log: of } = log(upTo(10));
    of.open("s", 10);
    of.open("other", 0);
    await vi.waitFor(() => expect(of.view.getSnapshot().busy).toBe(false));
    expect(of.view.getSnapshot()).toMatchObject({ sessionId: "other", rows: [], complete: true });
  });
});

describe("Snapshots", () => {
  it("tells of the picture with a link to it", async () => {
    const toasts = new Toasts();
    await new Snapshots({ snapshot: async () => ({ artifactId: "x", url: "/artifacts/x" }) } as unknown as Api, toasts).take("s");
    expect(toasts.view.getSnapshot()).toMatchObject([{ title: "Snapshot taken", image: "/artifacts/x", actions: [{ href: "/artifacts/x" }, { download: expect.stringMatching(/^vedette-\d{8}-\d{6}\.jpg$/) }] }]);
  });

  it("says why there is none, and takes one at a time", async () => {
    const toasts = new Toasts();
    const snapshot = vi.fn(async () => Promise.reject(new ApiError("storage_full", "quota reached", 507)));
    const shots = new Snapshots({ snapshot } as unknown as Api, toasts);
    await Promise.all([shots.take("s"), shots.take("s")]);
    expect(snapshot).toHaveBeenCalledTimes(1);
    expect(toasts.view.getSnapshot()).toMatchObject([{ tone: "failed", title: "No snapshot", text: expect.stringContaining("The disk is full") }]);
  });
});

describe("Toasts", () => {
  it("keeps the newest three", () => {
    const toasts = new Toasts();
    for (const title of ["a", "b", "c", "d"]) toasts.show({ title });
    expect(toasts.view.getSnapshot().map(({ title }) => title)).toEqual(["b", "c", "d"]);
    toasts.dismiss(3);
    expect(toasts.view.getSnapshot()).toHaveLength(2);
  });
});
