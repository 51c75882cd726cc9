import { describe, expect, it } from "vitest";
import { parseRoute, routeHref } from "@/lib/route";

describe("route", () => {
  it.each(["/", "/?watch=0198-ab", "/?view=sessions", "/?view=sessions&session=0198-ab", "/?view=file"])("%s is read as it was written", (href) => {
    expect(routeHref(parseRoute(href.slice(1)))).toBe(href);
  });

  it("lets nothing through that is not an id, since it becomes part of a path", () => {
    expect(parseRoute("?watch=../sources")).toEqual({ view: "live", watch: null });
    expect(parseRoute("?view=sessions&session=a%2Fb")).toEqual({ view: "sessions", session: null });
    expect(parseRoute(`?watch=${"a".repeat(65)}`)).toEqual({ view: "live", watch: null });
  });

  it("shows the live view where the address makes no sense", () => {
    expect(parseRoute("?view=nonsense")).toEqual({ view: "live", watch: null });
  });
});
