/**
 * The answer with a start bitrate for its first video codec. Chromium begins at 300 kb/s, which at 720p means seconds of
 * mud that a detector cannot read; the `x-google-start-bitrate` fmtp parameter is read from the remote description.
 */
export function withStartBitrate(sdp: string, kbps: number): string {
  const payload = /^m=video \S+ \S+ (\d+)/m.exec(sdp)?.[1];
  if (!payload) return sdp;
  const parameter = `x-google-start-bitrate=${kbps}`;
  const fmtp = new RegExp(`^a=fmtp:${payload} [^\r\n]*`, "m");
  if (fmtp.test(sdp)) return sdp.replace(fmtp, (line) => `${line};${parameter}`);
  const rtpmap = new RegExp(`^a=rtpmap:${payload} [^\r\n]*\r?\n`, "m");
  return sdp.replace(rtpmap, (line) => `${line}a=fmtp:${payload} ${parameter}\r\n`);
}

/** The codecs with VP8 first, the rest in the browser's own order. */
export function vp8First<T extends { mimeType: string }>(codecs: readonly T[]): T[] {
  const isVp8 = (codec: T) => codec.mimeType.toLowerCase() === "video/vp8";
  return [...codecs.filter(isVp8), ...codecs.filter((codec) => !isVp8(codec))];
}

/**
 * The answer with its sound in a stream of its own. A browser holds the picture back until the sound of the same stream is
 * due, and the sound's buffer grows with every burst: the picture came a second late here, on a busy machine.
 */
export function withSoundApart(sdp: string): string {
  return sdp.replace(/^m=audio[^]*?(?=^m=|(?![^]))/gm, (section) => section.replace(/^(a=msid:)(\S+)/gm, "$1$2-sound"));
}
