"use client";

import { Mic, MicOff, Square } from "lucide-react";
import type { Plan, StartKind } from "@/lib/choice";
import type { Client } from "@/lib/client";
import { isActive } from "@/lib/phase";
import type { Overlay, Profile } from "@/lib/types";
import { CameraPicker } from "./CameraPicker";
import styles from "./Controls.module.css";
import { useStore } from "./hooks";
import type { Options } from "./LiveView";
import { Segmented } from "./Segmented";
import { Select } from "./Select";
import { SOURCE_KINDS, SOURCES } from "./sources";

export const PROFILES: readonly Profile[] = ["auto", "fast", "accurate", "cpu-only"];
export const OVERLAYS: readonly Overlay[] = ["smooth", "exact"];

export const PROFILE_WORDS: Record<Profile, { label: string; hint: string }> = {
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
  client: Client;
  options: Options;
  onProfile(profile: Profile): void;
  onOverlay(overlay: Overlay): void;
  onCamera(deviceId: string): void;
  onMicrophone(on: boolean): void;
  onStart(kind: StartKind): void;
  onAgain(plan: Plan): void;
  onStop(): void;
}

/** What is watched and how, and stop; start is in the picture's place while there is none. */
export function Controls({ client, options, onProfile, onOverlay, onCamera, onMicrophone, onStart, onAgain, onStop }: Props) {
  const { session, cameras } = client;
  const active = isActive(useStore(session.phase));
  const plan = useStore(session.plan);
  const hears = useStore(session.running)?.hears;
  const sound = useStore(session.microphone.view);
  const { profile, overlay, camera, microphone } = options;
  const filming = active && plan?.choice.kind === "camera";
  const watching = active && plan?.choice.kind === "watch";
  // It is let go of at once; to be heard, the session must have been started for it.
  const deaf = filming && microphone && hears === "no";
  const changed = active && !watching && plan !== null && (profile !== plan.profile || overlay !== plan.overlay || deaf);
  const refused = filming && sound.state === "failed";
  const listen = (
    <button
      type="button"
      className={styles.microphone}
      aria-pressed={microphone}
      data-failed={refused}
      title={microphone ? "The camera's session hears you; press to let go of the microphone" : "Let the camera's session hear you, too: what is said is written down"}
      onClick={() => onMicrophone(!microphone)}
    >
      {microphone && !refused ? <Mic size={16} aria-hidden /> : <MicOff size={16} aria-hidden />}
      <span className={filming ? "visuallyHidden" : undefined}>Microphone</span>
    </button>
  );
  return (
    <section className={styles.controls} aria-label="Controls">
      {active && (
        <button type="button" className={styles.stop} onClick={onStop} title={watching ? "The session goes on without this page" : "Ends the session"}>
          <Square size={14} fill="currentColor" aria-hidden />
          {watching ? "Leave" : "Stop"}
        </button>
      )}
      {active && !watching && (
        <div className={styles.sources} role="group" aria-label="Source">
          {SOURCE_KINDS.map((kind) => {
            const { label, Icon, hint } = SOURCES[kind];
            const current = plan?.choice.kind === kind;
            return (
              <button
                key={kind}
                type="button"
                className={styles.source}
                aria-pressed={current}
                title={current ? hint : `Switch over: ${hint.charAt(0).toLowerCase()}${hint.slice(1)}`}
                onClick={() => !current && onStart(kind)}
              >
                <Icon size={16} aria-hidden />
                <span>{label}</span>
              </button>
            );
          })}
        </div>
      )}
      {filming && listen}
      {filming && <CameraPicker cameras={cameras} value={camera} onChange={onCamera} />}
      {watching ? (
        <p className={styles.hint}>You watch somebody&rsquo;s session. Leaving does not stop it.</p>
      ) : (
        <>
          <Select<Profile>
            label="Profile"
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
          {!active && listen}
          {filming && sound.state === "failed" ? (
            <p className={styles.hint} data-failed role="alert">
              {sound.fault.title}. {sound.fault.text}
              <button type="button" className={styles.restart} onClick={() => onMicrophone(true)}>
                Try again
              </button>
            </p>
          ) : changed ? (
            <p className={styles.hint} role="status">
              Applies at the next start.
              <button type="button" className={styles.restart} onClick={() => plan && onAgain({ ...plan, profile, overlay, microphone })}>
                Restart now
              </button>
            </p>
          ) : (
            !active && <p className={styles.hint}>{PROFILE_WORDS[profile].hint}. {OVERLAY_WORDS[overlay].hint}.</p>
          )}
        </>
      )}
    </section>
  );
}
