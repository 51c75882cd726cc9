import { Clapperboard, FileVideo, type LucideIcon, Monitor, Video } from "lucide-react";
import type { StartKind } from "@/lib/choice";
import type { SessionInfo } from "@/lib/types";

export const SOURCE_KINDS: readonly StartKind[] = ["demo", "camera", "screen"];

export const SOURCES: Record<StartKind, { label: string; Icon: LucideIcon; hint: string }> = {
  demo: { label: "Demo", Icon: Clapperboard, hint: "Photographs in motion, made by the server; no permission needed" },
  camera: { label: "Camera", Icon: Video, hint: "A camera of this computer" },
  screen: { label: "Screen", Icon: Monitor, hint: "A screen, window or tab of this computer" },
};

/** What a session of the list runs on. Screens and cameras are both pushed by a browser; the name tells them apart. */
export function sourceOf({ source }: SessionInfo): { name: string; kind: string; Icon: LucideIcon } {
  const name = source?.name || "Session";
  if (source?.kind === "demo") return { name, kind: "demo", Icon: Clapperboard };
  if (source?.kind === "upload") return { name, kind: "file", Icon: FileVideo };
  const screen = name === "Screen";
  return { name, kind: screen ? "screen" : source?.kind === "webcam" ? "camera" : (source?.kind ?? ""), Icon: screen ? Monitor : Video };
}
