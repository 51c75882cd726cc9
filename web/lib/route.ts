import { Cell } from "./store";

/** Where the page is, as its address says. */
export type Route =
  /** `watch`: the session that is joined as a viewer. */
  | { view: "live"; watch: string | null }
  /** `session`: the one whose events are open. */
  | { view: "sessions"; session: string | null }
  /** A file from this computer. */
  | { view: "file" };

const ID = /^[0-9a-zA-Z-]{1,64}$/;

export function parseRoute(search: string): Route {
  const query = new URLSearchParams(search);
  const id = (name: string) => {
    const value = query.get(name);
    // It becomes part of a path: nothing but an id may pass.
    return value !== null && ID.test(value) ? value : null;
  };
  if (query.get("view") === "sessions") return { view: "sessions", session: id("session") };
  if (query.get("view") === "file") return { view: "file" };
  return { view: "live", watch: id("watch") };
}

export function routeHref(route: Route): string {
  if (route.view === "live") return route.watch ? `/?watch=${route.watch}` : "/";
  if (route.view === "file") return "/?view=file";
  return route.session ? `/?view=sessions&session=${route.session}` : "/?view=sessions";
}

/** The address bar as a store: `go` writes it, back and forward are heard. */
export class Router {
  readonly route = new Cell<Route>({ view: "live", watch: null });

  /** Read the address, and follow it. Returns how to stop. */
  listen(): () => void {
    const read = () => this.route.set(parseRoute(location.search));
    read();
    addEventListener("popstate", read);
    return () => removeEventListener("popstate", read);
  }

  /** `replace` where going back to what was there would make no sense. */
  go = (route: Route, replace = false): void => {
    const href = routeHref(route);
    if (location.pathname + location.search !== href) history[replace ? "replaceState" : "pushState"](null, "", href);
    this.route.set(route);
  };
}
