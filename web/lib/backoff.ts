const FIRST_MS = 500;
const MAX_MS = 15_000;

/**
 * Full jitter: a random wait up to a ceiling that doubles from 0.5 s to 15 s, so that many pages do not return in step
 * (AWS Architecture Blog, "Exponential Backoff and Jitter").
 *
 * @param attempt 1 for the first try
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(random() * ceiling);
}
