"use client";

import { FileVideo, Play, RotateCw } from "lucide-react";
import { CameraPicker } from "./CameraPicker";
import type { CoverProps } from "./Cover";
import styles from "./Cover.module.css";
import { useStore } from "./hooks";
import { SOURCES } from "./sources";

const { camera: CAMERA, screen: SCREEN } = SOURCES;

/** The empty picture: what this is, and the ways to see it at work. */
export function Invitation({ client, camera, onStart, onCamera }: CoverProps) {
  const view = useStore(client.health.view);
  return (
    <div className={styles.cover}>
      <div className={styles.finder} aria-hidden>
        <span />
        <span />
        <span />
        <span />
      </div>
      <div className={styles.center}>
        <h2 className={styles.headline}>See what it sees</h2>
        <p className={styles.lead}>
          Vedette watches a picture and says what is in it: boxes, tracks and events, live, on this machine and nowhere else.
        </p>
        {view.state === "gone" ? (
          <>
            <p className={styles.trouble} role="alert">
              The server does not answer. Check the terminal that runs it; this page keeps asking.
            </p>
            <button type="button" className={styles.secondary} onClick={() => void client.health.ask()}>
              <RotateCw size={16} aria-hidden /> Ask again
            </button>
          </>
        ) : (
          <>
            <div className={styles.choices}>
              <button type="button" className={styles.primary} data-hero onClick={() => onStart("demo")}>
                <Play size={16} fill="currentColor" aria-hidden /> Start demo
              </button>
              <button type="button" className={styles.secondary} onClick={() => onStart("camera")} title={CAMERA.hint}>
                <CAMERA.Icon size={16} aria-hidden /> Camera
              </button>
              <button type="button" className={styles.secondary} onClick={() => onStart("screen")} title={SCREEN.hint}>
                <SCREEN.Icon size={16} aria-hidden /> Screen
              </button>
              <button type="button" className={styles.secondary} onClick={() => client.router.go({ view: "file" })} title="Look at a recording from this computer, as fast as the server can">
                <FileVideo size={16} aria-hidden /> Open a file
              </button>
            </div>
            <CameraPicker cameras={client.cameras} value={camera} onChange={onCamera} />
            <p className={styles.fine}>The demo asks for no permission: photographs in motion, with a voice. Camera and screen go to this server only.</p>
          </>
        )}
      </div>
    </div>
  );
}
