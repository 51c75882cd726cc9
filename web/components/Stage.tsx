"use client";

import { Maximize } from "lucide-react";
import { useEffect, useRef } from "react";
import type { HealthWatch } from "@/lib/health";
import type { LiveSession } from "@/lib/session";
import { useStore } from "./hooks";
import { Cover } from "./Cover";
import { Spotlight, type Spot } from "./Spotlight";
import styles from "./Stage.module.css";

/** So many pictures without an RTP timestamp mean that this browser tells none. */
const UNTIMED_FRAMES = 30;

interface Props {
  session: LiveSession;
  health: HealthWatch;
  spot: Spot | null;
  onStart(): void;
}

/** The annotated picture, and over it whatever must be said instead. */
export function Stage({ session, health, spot, onStart }: Props) {
  const phase = useStore(session.phase);
  const { returned, local } = useStore(session.media);
  const stage = useRef<HTMLElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const preview = useRef<HTMLVideoElement>(null);

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.srcObject = returned;
    if (!returned) return;
    element.play().catch(() => undefined);
    return onPictures(element, session);
  }, [returned, session]);

  const starting = phase.name === "starting";
  useEffect(() => {
    const element = preview.current;
    if (!element) return;
    element.srcObject = starting ? local : null;
    if (starting && local) element.play().catch(() => undefined);
  }, [local, starting]);

  const frozen = phase.name === "stalled" || phase.name === "reconnecting";
  const shown = phase.name === "live" || frozen;
  return (
    <section ref={stage} className={styles.stage} data-phase={phase.name} aria-label="Annotated video">
      <video ref={preview} className={styles.preview} hidden={!starting || !local} muted playsInline aria-hidden />
      <video ref={video} className={styles.video} data-frozen={frozen} data-shown={shown} muted playsInline />
      {phase.name === "live" && (
        <>
          <Spotlight feed={session.feed} video={video} spot={spot} />
          <button
            type="button"
            className={styles.fullscreen}
            title="Full screen"
            aria-label="Full screen"
            onClick={() => void (document.fullscreenElement ? document.exitFullscreen() : stage.current?.requestFullscreen())}
          >
            <Maximize size={18} aria-hidden />
          </button>
        </>
      )}
      {phase.name !== "live" && <Cover phase={phase} health={health} onStart={onStart} onRetry={session.retryNow} />}
    </section>
  );
}

/** Tell the session of the first picture, and the meter of every one. Returns how to stop. */
function onPictures(element: HTMLVideoElement, session: LiveSession): () => void {
  if (!("requestVideoFrameCallback" in element)) {
    session.numbers.meter.supported = false;
    const plain = element as HTMLVideoElement;
    plain.addEventListener("playing", session.firstPicture);
    return () => plain.removeEventListener("playing", session.firstPicture);
  }
  let handle = 0;
  let untimed = 0;
  const shown: VideoFrameRequestCallback = (_, { rtpTimestamp, expectedDisplayTime }) => {
    handle = element.requestVideoFrameCallback(shown);
    session.firstPicture();
    // The black picture at a track's end has no timestamp either: one says nothing of the browser.
    if (rtpTimestamp === undefined) untimed += 1;
    if (untimed === UNTIMED_FRAMES) session.numbers.meter.supported = false;
    if (rtpTimestamp !== undefined) session.numbers.meter.shown(rtpTimestamp, performance.timeOrigin + expectedDisplayTime);
  };
  handle = element.requestVideoFrameCallback(shown);
  return () => element.cancelVideoFrameCallback(handle);
}
