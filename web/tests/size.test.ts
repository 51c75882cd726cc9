import { describe, expect, it } from "vitest";
import { scriptsOf } from "@/scripts/size.mjs";

describe("size", () => {
  it("counts every script that a current browser fetches, once, and no other", () => {
    const html = `<link rel="preload" as="script" fetchPriority="low" href="/a.js"/><link rel="preload" as="font" href="/f.woff2"/>
      <script src="/a.js" async=""></script><script src="/b.js" id="x" async=""></script><script src="/old.js" noModule=""></script>
      <script>inline()</script>`;
    expect(scriptsOf(html)).toEqual(["/a.js", "/b.js"]);
  });
});
