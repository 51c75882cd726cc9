"use client";

import { CircleAlert, RotateCw, Square } from "lucide-react";
import { useState } from "react";
import type { Client } from "@/lib/client";
import type { FileMode, FileView as View } from "@/lib/filework";
import { duration } from "@/lib/format";
import type { Profile } from "@/lib/types";
import { FilePick } from "./FilePick";
import { FileResult } from "./FileResult";
import styles from "./FileView.module.css";
import { useChoice, useStore } from "./hooks";

const MODES: readonly FileMode[] = ["batch", "realtime"];

interface Props {
  client: Client;
  profile: Profile;
  onProfile(profile: Profile): void;
}

/** A recording from this computer: chosen, sent, worked through or played, and what came of it. */
export function FileView({ client, profile, onProfile }: Props) {
  const { file, router } = client;
  const view = useStore(file.view);
  const [mode, setMode] = useChoice<FileMode>("file", "batch", MODES);
  const [film, setFilm] = useState(true);
  const open = async (chosen: File) => {
    const sessionId = await file.open(chosen, { mode, profile, film });
    if (sessionId !== null && mode === "realtime") router.go({ view: "live", watch: sessionId });
  };
  return (
    <main className={styles.view} id="file" tabIndex={-1}>
      <h1 className={styles.heading}>File</h1>
      {view.state === "idle" && (
        <FilePick mode={mode} onMode={setMode} profile={profile} onProfile={onProfile} film={film} onFilm={setFilm} onFile={(chosen) => void open(chosen)} />
      )}
      {view.state === "sending" && <Sending view={view} onStop={() => void file.stop()} />}
      {view.state === "running" && <Running view={view} onStop={() => void file.stop()} onWatch={() => router.go({ view: "live", watch: view.session.sessionId })} />}
      {view.state === "failed" && <Failed view={view} onAgain={file.clear} />}
      {view.state === "done" && <FileResult client={client} view={view} onAgain={file.clear} />}
    </main>
  );
}

function Sending({ view: { name, sent }, onStop }: { view: Extract<View, { state: "sending" }>; onStop(): void }) {
  const checking = sent >= 1;
  return (
    <section className={styles.card} aria-label="Under way">
      <h2 className={styles.title}>{name}</h2>
      <Bar label="Sent" share={checking ? null : sent} />
      <p className={styles.text} role="status">
        {checking ? "Sent. The server looks whether it can read it." : "Sending it to your server."}
      </p>
      <button type="button" className={styles.secondary} onClick={onStop}>
        <Square size={14} fill="currentColor" aria-hidden /> Cancel
      </button>
    </section>
  );
}

function Running({ view, onStop, onWatch }: { view: Extract<View, { state: "running" }>; onStop(): void; onWatch(): void }) {
  const { name, mode, session, media } = view;
  const progress = session.progress;
  return (
    <section className={styles.card} aria-label="Under way">
      <h2 className={styles.title}>{name}</h2>
      {mode === "batch" ? (
        <>
          <Bar label="Worked through" share={progress ? progress.share : 0} />
          <p className={styles.text} role="status">
            Looking at every picture that is wanted, and writing down every word.
          </p>
          {progress && progress.share > 0 && (
            <p className={styles.fine}>
              {duration(progress.duration)} of film, {progress.framesDetected.toLocaleString("en")} pictures so far
              {progress.speed > 0 && `, ${progress.speed.toFixed(1)} times as fast as it was recorded`}.
            </p>
          )}
        </>
      ) : (
        <p className={styles.text} role="status">
          It is played as it was recorded{media?.duration ? `, for ${duration(media.duration)}` : ""}.
        </p>
      )}
      <div className={styles.actions}>
        {mode === "realtime" && (
          <button type="button" className={styles.primary} onClick={onWatch}>
            Watch
          </button>
        )}
        <button type="button" className={styles.secondary} onClick={onStop}>
          <Square size={14} fill="currentColor" aria-hidden /> Stop
        </button>
      </div>
      <p className={styles.fine}>You may look at something else meanwhile; when this page is closed it is given up.</p>
    </section>
  );
}

function Failed({ view: { name, fault, works }, onAgain }: { view: Extract<View, { state: "failed" }>; onAgain(): void }) {
  return (
    <section className={styles.card} role="alert">
      <CircleAlert className={styles.failed} size={28} aria-hidden />
      <h2 className={styles.title}>{fault.title}</h2>
      <p className={styles.fine}>{name}</p>
      <p className={styles.text}>{fault.text}</p>
      {works && (
        <dl className={styles.works}>
          <dt>Files that work</dt>
          <dd>{works.formats.join(", ")}</dd>
          <dt>with pictures in</dt>
          <dd>{works.videoCodecs.join(", ")}</dd>
          <dt>and sound in</dt>
          <dd>{works.audioCodecs.join(", ")}</dd>
        </dl>
      )}
      <button type="button" className={styles.primary} onClick={onAgain}>
        <RotateCw size={16} aria-hidden /> Choose another file
      </button>
      <p className={`${styles.fine} mono`}>{fault.code}</p>
    </section>
  );
}

/** `share`: 0 to 1, or null while nobody knows. */
function Bar({ label, share }: { label: string; share: number | null }) {
  return (
    <div className={styles.progress}>
      <progress className={styles.bar} aria-label={label} max={1} {...(share === null ? {} : { value: share })} />
      <span className={styles.percent}>{share === null ? "" : `${Math.floor(share * 100)} %`}</span>
    </div>
  );
}
