"use client";

import { Square } from "lucide-react";
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
  smooth: { label: "Smooth", hint: "All frames; boxes move along" },
  exact: { label: "Exact", hint: "Frames with their own boxes" },
};

interface Props {
  profile: Profile;
  overlay: Overlay;
  active: boolean;
  /** Chosen otherwise than what runs. */
  changed: boolean;
  onProfile(profile: Profile): void;
  onOverlay(overlay: Overlay): void;
  onStop(): void;
  onRestart(): void;
}

/** How the picture is watched, and stop; start is in the picture's place while there is none. */
export function Controls({ profile, overlay, active, changed, onProfile, onOverlay, onStop, onRestart }: Props) {
  return (
    <section className={styles.controls} aria-label="Controls">
      {active && (
        <button type="button" className={styles.stop} onClick={onStop}>
          <Square size={14} fill="currentColor" aria-hidden />
          Stop
        </button>
      )}
      <Segmented
        name="profile"
        legend="Profile"
        value={profile}
        options={PROFILES.map((value) => ({ value, ...PROFILE_WORDS[value] }))}
        onChange={onProfile}
      />
      <Segmented
        name="overlay"
        legend="Overlay"
        value={overlay}
        options={OVERLAYS.map((value) => ({ value, ...OVERLAY_WORDS[value] }))}
        onChange={onOverlay}
      />
      {changed ? (
        <p className={styles.hint} role="status">
          Applies at the next start.
          <button type="button" className={styles.restart} onClick={onRestart}>
            Restart now
          </button>
        </p>
      ) : (
        <p className={styles.hint}>{OVERLAY_WORDS[overlay].hint}</p>
      )}
    </section>
  );
}
