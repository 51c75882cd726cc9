"use client";

import { type RefObject, useEffect, useRef } from "react";
import type { Feed } from "@/lib/feed";
import type { Box, DetectionData } from "@/lib/types";
import styles from "./Spotlight.module.css";

/** What the pointer is on in the feed: one track, or every object of a label. */
export type Spot = { trackId: number } | { label: string };

const MAX_BOXES = 8;
/** A box that was not renewed for this long is not where its object is. */
const HOLD_MS = 600;

interface Props {
  feed: Feed;
  video: RefObject<HTMLVideoElement | null>;
  spot: Spot | null;
}

/** Lights up in the picture what is pointed at beside it. Follows detections at their own rate, past React. */
export function Spotlight({ feed, video, spot }: Props) {
  const layer = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const boxes = [...(layer.current?.children ?? [])] as HTMLElement[];
    const clear = () => boxes.forEach((box) => (box.hidden = true));
    if (!spot) return clear();
    let fade: ReturnType<typeof setTimeout>;
    const stop = feed.onDetection((data) => {
      const element = video.current;
      if (!element) return;
      const wanted = data.objects.filter((object) =>
        "trackId" in spot ? object.trackId === spot.trackId : object.label === spot.label,
      );
      boxes.forEach((box, i) => place(box, wanted[i]?.box, data.frame, element));
      clearTimeout(fade);
      fade = setTimeout(clear, HOLD_MS);
    });
    return () => {
      stop();
      clearTimeout(fade);
      clear();
    };
  }, [feed, video, spot]);

  return (
    <div ref={layer} className={styles.layer} aria-hidden>
      {Array.from({ length: MAX_BOXES }, (_, i) => (
        <div key={i} className={styles.box} hidden />
      ))}
    </div>
  );
}

/** The picture is letterboxed in its element (`object-fit: contain`): source pixels to pixels of the element. */
function place(target: HTMLElement, box: Box | undefined, frame: DetectionData["frame"], video: HTMLVideoElement): void {
  target.hidden = box === undefined;
  if (!box) return;
  const { clientWidth, clientHeight } = video;
  const scale = Math.min(clientWidth / frame.width, clientHeight / frame.height);
  const left = (clientWidth - frame.width * scale) / 2 + box[0] * scale;
  const top = (clientHeight - frame.height * scale) / 2 + box[1] * scale;
  target.style.transform = `translate(${left}px, ${top}px)`;
  target.style.width = `${(box[2] - box[0]) * scale}px`;
  target.style.height = `${(box[3] - box[1]) * scale}px`;
}
