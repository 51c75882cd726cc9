import { type Api, artifactHref, hrefOf } from "./api";
import { faultOf } from "./faults";
import { Cell } from "./store";
import type { Toasts } from "./toasts";

/** Takes pictures of a session, one at a time, and tells of each. */
export class Snapshots {
  readonly busy = new Cell(false);

  constructor(
    private readonly api: Api,
    private readonly toasts: Toasts,
  ) {}

  async take(sessionId: string): Promise<void> {
    if (this.busy.getSnapshot()) return;
    this.busy.set(true);
    try {
      const { artifactId, url } = await this.api.snapshot(sessionId);
      const href = url ? hrefOf(url) : artifactHref(artifactId);
      this.toasts.show({
        title: "Snapshot taken",
        text: "Kept with the session on the server.",
        image: href,
        actions: [
          { label: "Open", href },
          { label: "Download", href, download: `vedette-${fileTime(new Date())}.jpg` },
        ],
      });
    } catch (error) {
      const { title, text } = faultOf(error, "watch");
      this.toasts.show({ tone: "failed", title: "No snapshot", text: `${title}. ${text}`.trim() });
    } finally {
      this.busy.set(false);
    }
  }
}

/** 20261122-104650: local time, without what file systems dislike. */
function fileTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
