"use client";

import { FileVideo } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import type { FileMode } from "@/lib/filework";
import type { Profile } from "@/lib/types";
import { PROFILES, PROFILE_WORDS } from "./Controls";
import styles from "./FileView.module.css";
import { Segmented } from "./Segmented";
import { Select } from "./Select";

const MODES: readonly { value: FileMode; label: string; hint: string }[] = [
  { value: "batch", label: "As fast as it goes", hint: "Every picture that is wanted, every word; nothing is left out" },
  { value: "realtime", label: "In real time", hint: "Played as it was recorded, to be watched like a camera" },
];

interface Props {
  mode: FileMode;
  profile: Profile;
  film: boolean;
  onMode(mode: FileMode): void;
  onProfile(profile: Profile): void;
  onFilm(film: boolean): void;
  onFile(file: File): void;
}

/** Where a file is chosen or dropped, and what is to be done with it. */
export function FilePick({ mode, profile, film, onMode, onProfile, onFilm, onFile }: Props) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  };
  const hint = MODES.find(({ value }) => value === mode)?.hint;
  return (
    <>
      <section
        className={styles.drop}
        data-over={over}
        aria-label="Choose a file"
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <FileVideo className={styles.sign} size={28} aria-hidden />
        <h2 className={styles.title}>Look at a recording</h2>
        <p className={styles.text}>Drop a film or a sound recording here. It goes to this server only, and is removed when its session is over.</p>
        <button type="button" className={styles.primary} onClick={() => input.current?.click()}>
          Choose a file
        </button>
        <input
          ref={input}
          type="file"
          className="visuallyHidden"
          aria-label="File"
          tabIndex={-1}
          accept="video/*,audio/*,.mkv"
          onChange={(event) => {
            const file = event.target.files?.[0];
            if (file) onFile(file);
          }}
        />
        <p className={styles.fine}>mp4, mov, mkv, webm, avi, wav, mp3, m4a, ogg, flac: up to 512 MiB and ten minutes.</p>
      </section>
      <section className={styles.options} aria-label="What is done with it">
        <Segmented<FileMode> name="mode" legend="How" value={mode} options={MODES} onChange={onMode} />
        <Select<Profile> label="Profile" value={profile} options={PROFILES.map((value) => ({ value, ...PROFILE_WORDS[value] }))} onChange={onProfile} />
        {mode === "batch" && (
          <label className={styles.check}>
            <input type="checkbox" checked={film} onChange={(event) => onFilm(event.target.checked)} />
            Make a film with the boxes drawn in
          </label>
        )}
        <p className={styles.fine}>{hint}.</p>
      </section>
    </>
  );
}
