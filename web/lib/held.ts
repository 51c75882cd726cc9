/** What a running session holds, as the page needs to know it. */

export interface Media {
  /** The annotated picture that came back, and its sound if there is any. */
  returned: MediaStream | null;
  /** The camera or screen itself, to show while the first picture is on its way. */
  local: MediaStream | null;
  hasAudio: boolean;
}

/** Whether a session listens; `cannot`: it was to, but its server does not know how. */
export type Hears = "yes" | "no" | "cannot";

export interface Running {
  sessionId: string;
  /** False for a session that this page only watches. */
  own: boolean;
  hears: Hears;
}

export const NO_MEDIA: Media = { returned: null, local: null, hasAudio: false };
