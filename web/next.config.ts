import path from "node:path";
import type { NextConfig } from "next";

const config: NextConfig = {
  output: "export",
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  // Without it a lockfile anywhere above moves the root out of this folder.
  turbopack: { root: path.resolve(import.meta.dirname) },
};

export default config;
