/** RTP timestamps are 32 bits and wrap: every 13 h 15 min at 90 kHz, and at once when a sender starts near the top. */

const WRAP = 2 ** 32;

/** (a + b) modulo 2^32, 0 to 2^32 - 1. */
export function rtpAdd(a: number, b: number): number {
  return (((a + b) % WRAP) + WRAP) % WRAP;
}

/** a - b by the shorter way round, -2^31 to 2^31 - 1: negative when a is older than b. */
export function rtpDiff(a: number, b: number): number {
  const forward = rtpAdd(a, -b);
  return forward >= WRAP / 2 ? forward - WRAP : forward;
}
