"use client";

import { Play, Square } from "lucide-react";
import type { Overlay, Profile } from "@/lib/types";
import styles from "./Controls.module.css";
import { Segmented } from "./Segmented";

export const PROFILES: readonly Profile[] = ["auto", "fast", "accurate", "cpu-only"];
export const OVERLAYS: readonly Overlay[] = ["smooth", "exact"];

const PROFILE_WORDS: Record<Profile, { label: string; hint: string }> = {
  auto: { label: "Auto", hint: "The best that this machine keeps up with" },
  fast: { label: "Fast", hint: "More detections a second, smaller input" },
  accurate: { label: "Accurate", hint: "Larger input, fewer detections a second" },
  "cpu-only": { label: "CPU only", hint: "Leaves the GPU alone" },
};

const OVERLAY_WORDS: Record<Overlay, { label: string; hint: string }> = {
  smooth: { label: "Smooth", hint: "Every frame comes back; boxes move along between detections" },
  exact: { label: "Exact", hint: "Each frame carries its own detections; late frames are dropped and counted" },
};

interface Props {
  profile: Profile;
  overlay: Overlay;
  active: boolean;
  notice: string | null;
  onChange(change: { profile?: Profile; overlay?: Overlay }): void;
  onStart(): void;
  onStop(): void;
}

/** Start or stop, and how the picture is watched. */
export function Controls({ profile, overlay, active, notice, onChange, onStart, onStop }: Props) {
  return (
    <section className={styles.controls} aria-label="Controls">
      {active ? (
        <button type="button" className={styles.stop} onClick={onStop}>
          <Square size={14} fill="currentColor" aria-hidden />
          Stop
        </button>
      ) : (
        <button type="button" className={styles.start} onClick={onStart}>
          <Play size={14} fill="currentColor" aria-hidden />
          Start
        </button>
      )}
      <Segmented
        name="profile"
        legend="Profile"
        value={profile}
        options={PROFILES.map((value) => ({ value, ...PROFILE_WORDS[value] }))}
        onChange={(value) => onChange({ profile: value })}
      />
      <Segmented
        name="overlay"
        legend="Overlay"
        value={overlay}
        options={OVERLAYS.map((value) => ({ value, ...OVERLAY_WORDS[value] }))}
        onChange={(value) => onChange({ overlay: value })}
      />
      <p className={styles.hint} role={notice ? "alert" : undefined} data-notice={notice !== null}>
        {notice ?? OVERLAY_WORDS[overlay].hint}
      </p>
    </section>
  );
}
