// The weight of the first load: the compressed JavaScript that the exported index.html loads. Run after a build.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 200_000;

/** Addresses of the scripts that a current browser fetches for this page: `nomodule` ones it passes over. */
export function scriptsOf(html) {
  const tags = [...html.matchAll(/<script\b[^>]*>/gi)].map(([tag]) => tag);
  const preloaded = [...html.matchAll(/<link\b[^>]*>/gi)].map(([tag]) => tag).filter((tag) => /rel="(?:modulepreload|preload)"/i.test(tag) && /as="script"/i.test(tag));
  const modern = tags.filter((tag) => !/\bnomodule\b/i.test(tag));
  const legacy = new Set(tags.filter((tag) => /\bnomodule\b/i.test(tag)).map((tag) => address(tag, "src")));
  const found = [...modern.map((tag) => address(tag, "src")), ...preloaded.map((tag) => address(tag, "href"))];
  return [...new Set(found)].filter((each) => each !== null && !legacy.has(each));
}

function address(tag, attribute) {
  return new RegExp(`\\b${attribute}="([^"]+)"`, "i").exec(tag)?.[1] ?? null;
}

function main() {
  const out = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "out");
  const scripts = scriptsOf(readFileSync(path.join(out, "index.html"), "utf8"));
  if (scripts.length === 0) throw new Error("index.html loads no script: is this the export?");
  let total = 0;
  for (const src of scripts) {
    const bytes = gzipSync(readFileSync(path.join(out, src.replace(/\?.*$/, ""))), { level: 9 }).length;
    total += bytes;
    console.log(`${(bytes / 1_000).toFixed(1).padStart(7)} kB  ${src}`);
  }
  const kept = total <= LIMIT_BYTES;
  console.log(`${(total / 1_000).toFixed(1).padStart(7)} kB  first load, gzip; ${kept ? "passed" : "FAILED"}: the limit is ${LIMIT_BYTES / 1_000} kB`);
  process.exitCode = kept ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
