import { describe, expect, it, vi } from "vitest";
import { Access } from "@/lib/access";
import { createApi } from "@/lib/api";
import { ApiError } from "@/lib/apierror";
import { faultOf } from "@/lib/faults";
import { createCall } from "@/lib/http";

const TOKEN = "vdt_right";
const json = (body: unknown, init: ResponseInit = {}) => new Response(JSON.stringify(body), init);
const refused = (status: number, code: string, headers: HeadersInit = {}) => json({ error: { code, message: code } }, { status, headers });

/** A server that asks for a token, and its page; the cookie is what the browser would keep. */
function serverThatAsks(base = "") {
  const server = { signedIn: false, role: "operator", calls: [] as string[], inits: [] as RequestInit[], limited: false };
  const fetcher: typeof fetch = async (input, init = {}) => {
    const path = String(input).replace(base, "");
    server.calls.push(`${init.method} ${path}`);
    server.inits.push(init);
    if (path === "/login") {
      if (server.limited) return refused(429, "rate_limited", { "Retry-After": "6" });
      if ((JSON.parse(String(init.body)) as { token: string }).token !== TOKEN) return refused(401, "unauthorized");
      server.signedIn = true;
    }
    if (path === "/logout") {
      server.signedIn = false;
      return new Response(null, { status: 204 });
    }
    if (path === "/login" || path === "/access") {
      return json({ needed: true, role: server.signedIn ? server.role : null, name: server.signedIn ? "kitchen" : null });
    }
    return server.signedIn ? json({ sessions: [], next: null }) : refused(401, "unauthorized");
  };
  const access = new Access(createCall(base, fetcher));
  return { server, access, api: createApi(base, fetcher, access.gate) };
}

const state = (access: Access) => access.view.getSnapshot();
const asksForToken = (access: Access) => vi.waitFor(() => expect(state(access).state).toBe("out"));

describe("signing in", () => {
  it("shows the form at the start where a token is needed, and not where none is", async () => {
    const { access } = serverThatAsks();
    await access.ask();
    expect(state(access)).toEqual({ state: "out", busy: false, problem: null });
    const open = new Access(async () => json({ needed: false, role: "admin", name: null }));
    await open.ask();
    expect(state(open)).toEqual({ state: "in", role: "admin", name: null });
  });

  it("leaves it to the next call when the server does not answer", async () => {
    const access = new Access(() => Promise.reject(new ApiError("server_gone", "", 0)));
    await access.ask();
    expect(state(access)).toEqual({ state: "unknown" });
  });

  it("lets every call that was refused go on after it", async () => {
    const { access, api, server } = serverThatAsks();
    const calls = Promise.all([api.sessions(30), api.createSource("demo", "Demo")]);
    await asksForToken(access);
    await access.signIn(` ${TOKEN}\n`);
    expect(await calls).toEqual([{ sessions: [], next: null }, undefined]);
    expect(state(access)).toEqual({ state: "in", role: "operator", name: "kitchen" });
    expect(server.calls.filter((call) => call === "POST /sources")).toHaveLength(2);
  });

  it("asks again when the token is taken back meanwhile", async () => {
    const { access, api, server } = serverThatAsks();
    await access.signIn(TOKEN);
    server.signedIn = false;
    const call = api.sessions(30);
    await asksForToken(access);
    await access.signIn(TOKEN);
    await expect(call).resolves.toMatchObject({ next: null });
  });

  it("is not asked for again by an answer that was under way", async () => {
    const { access, server } = serverThatAsks();
    await access.signIn(TOKEN);
    const seen: string[] = [];
    access.view.subscribe(() => seen.push(state(access).state));
    await access.gate();
    expect(seen).not.toContain("out");
    expect(server.calls.at(-1)).toBe("GET /access");
  });

  it("says why a token did not do, and for how long to wait", async () => {
    const { access, server } = serverThatAsks();
    await access.signIn("wrong");
    expect(state(access)).toMatchObject({ state: "out", busy: false, problem: expect.stringContaining("does not know this token") });
    server.limited = true;
    await access.signIn(TOKEN);
    expect(state(access)).toMatchObject({ problem: "Too many tries. The server hears another one in 6 s." });
  });

  it("is busy while the server thinks", async () => {
    const { access } = serverThatAsks();
    const signing = access.signIn(TOKEN);
    expect(state(access)).toEqual({ state: "out", busy: true, problem: null });
    await signing;
  });

  it("does not hold up what was given up", async () => {
    const { access, api } = serverThatAsks();
    const abort = new AbortController();
    const call = api.createSource("demo", "Demo", abort.signal);
    await asksForToken(access);
    abort.abort();
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    await expect(access.gate(AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  });

  it("is over after signing out", async () => {
    const { access, server } = serverThatAsks();
    await access.signIn(TOKEN);
    await access.signOut();
    expect(server.calls.slice(-2)).toEqual(["POST /logout", "GET /access"]);
    expect(state(access).state).toBe("out");
  });

  it("sends the cookie to another port only when it is asked to, and never keeps the token", async () => {
    for (const [base, credentials] of [["", "same-origin"], ["http://localhost:8000", "include"]] as const) {
      const { access, api, server } = serverThatAsks(base);
      await access.signIn(TOKEN);
      await api.sessions(30);
      expect(server.inits.map((init) => init.credentials)).toEqual([credentials, credentials]);
      expect(JSON.stringify(server.inits.at(-1))).not.toContain(TOKEN);
      expect(JSON.stringify(state(access))).not.toContain(TOKEN);
    }
  });
});

describe("roles", () => {
  it("says in the server's words what a token is not good for", async () => {
    const words = "this needs the role operator; the token 'tv' has viewer";
    const api = createApi("", async () => json({ error: { code: "forbidden", message: words } }, { status: 403 }));
    const error: unknown = await api.createSource("demo", "Demo").catch((thrown: unknown) => thrown);
    expect(faultOf(error)).toMatchObject({ title: "This is not allowed", text: expect.stringContaining(words) });
  });
});
