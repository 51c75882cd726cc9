"use client";

import { type RefObject, useEffect, useRef } from "react";
import type { Plan, StartKind } from "@/lib/choice";
import type { Client } from "@/lib/client";
import type { LiveSession } from "@/lib/session";
import { Cover } from "./Cover";
import { useStore } from "./hooks";
import { Spotlight, type Spot } from "./Spotlight";
import { StageBar } from "./StageBar";
import styles from "./Stage.module.css";

/** So many pictures without an RTP timestamp mean that this browser tells none. */
const UNTIMED_FRAMES = 30;

interface Props {
  ref: RefObject<HTMLElement | null>;
  client: Client;
  spot: Spot | null;
  muted: boolean;
  /** Counts snapshots: each lights up the picture once. */
  flash: number;
  /** Device id of the camera that was picked, or "". */
  camera: string;
  onMute(): void;
  onSnapshot(): void;
  onFullscreen(): void;
  onStart(kind: StartKind): void;
  onAgain(plan: Plan): void;
  onCamera(deviceId: string): void;
}

/** The annotated picture, and over it whatever must be said instead. */
export function Stage({ ref, client, spot, muted, flash, camera, onMute, onSnapshot, onFullscreen, onStart, onAgain, onCamera }: Props) {
  const { session, snapshots } = client;
  const phase = useStore(session.phase);
  const { returned, local, hasAudio } = useStore(session.media);
  const taking = useStore(snapshots.busy);
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
    <section ref={ref} className={styles.stage} data-phase={phase.name} aria-label="Annotated video">
      <video ref={preview} className={styles.preview} hidden={!starting || !local} muted playsInline aria-hidden />
      <video ref={video} className={styles.video} data-frozen={frozen} data-shown={shown} muted={muted} playsInline />
      {phase.name === "live" ? (
        <>
          <Spotlight feed={session.feed} video={video} spot={spot} />
          {flash > 0 && <span key={flash} className={styles.flash} aria-hidden />}
          <StageBar
            muted={hasAudio ? muted : null}
            taking={taking}
            onMute={onMute}
            onSnapshot={onSnapshot}
            onFullscreen={onFullscreen}
          />
        </>
      ) : (
        <Cover phase={phase} client={client} camera={camera} onStart={onStart} onAgain={onAgain} onCamera={onCamera} />
      )}
    </section>
  );
}

/** Tell the session of the first picture, and the meter of every one. Returns how to stop. */
function onPictures(element: HTMLVideoElement, session: LiveSession): () => void {
  if (!("requestVideoFrameCallback" in element)) {
    session.numbers.unmeasurable();
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
    if (untimed === UNTIMED_FRAMES) session.numbers.unmeasurable();
    if (rtpTimestamp !== undefined) session.numbers.shown(rtpTimestamp, performance.timeOrigin + expectedDisplayTime);
  };
  handle = element.requestVideoFrameCallback(shown);
  return () => element.cancelVideoFrameCallback(handle);
}
