/** Numbers and times as the page writes them. */

export const NONE = "–";

export function fps(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : value.toFixed(1);
}

export function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en");
}

/** 7 -> "7 s", 83 -> "1:23", 3723 -> "1:02:03". */
export function duration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  const h = Math.floor(total / 3600);
  const m = Math.floor(total / 60) % 60;
  return h ? `${h}:${two(m)}:${two(total % 60)}` : `${m}:${two(total % 60)}`;
}

/** A place in a recording: 3 -> "0:03", 3723 -> "1:02:03". */
export function place(seconds: number): string {
  return seconds < 60 ? `0:${String(Math.max(0, Math.floor(seconds))).padStart(2, "0")}` : duration(seconds);
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Unix seconds as the viewer's own wall clock. */
export function clock(at: number): string {
  return CLOCK.format(at * 1_000);
}

export function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((total, value) => total + value, 0);
}

/** "detector 10, page 2": the non-zero entries, largest first. */
export function breakdown(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => `${name} ${whole(value)}`)
    .join(", ");
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** How long ago, coarsely: "just now", "3 min ago", "2 h ago", "22 Nov". Both in Unix seconds. */
export function ago(at: number, now: number): string {
  const seconds = Math.max(0, now - at);
  if (seconds < 45) return "just now";
  if (seconds < 3_600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`;
  return DAY.format(at * 1_000);
}

/** Unix seconds as day and time, for titles: "22 Nov, 10:46:50". */
export function moment(at: number): string {
  return `${DAY.format(at * 1_000)}, ${clock(at)}`;
}
