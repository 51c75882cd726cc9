"use client";

import { useRef, useState } from "react";
import type { Plan, StartKind } from "@/lib/choice";
import type { Client } from "@/lib/client";
import { isActive } from "@/lib/phase";
import type { Route } from "@/lib/route";
import type { Overlay, Profile } from "@/lib/types";
import { Controls } from "./Controls";
import { Events } from "./Events";
import { HelpDialog } from "./HelpDialog";
import { useStore } from "./hooks";
import { useKeys } from "./keys";
import styles from "./LiveView.module.css";
import { Numbers } from "./Numbers";
import { Segmented } from "./Segmented";
import type { Spot } from "./Spotlight";
import { Stage } from "./Stage";
import { TopBar } from "./TopBar";

type Tab = "events" | "numbers";

const TABS: readonly { value: Tab; label: string; hint: string }[] = [
  { value: "events", label: "Events", hint: "What happened" },
  { value: "numbers", label: "Numbers", hint: "How fast and how late" },
];

export interface Options {
  profile: Profile;
  overlay: Overlay;
  /** The source that Space starts. */
  kind: StartKind;
  /** Device id of the camera that was picked, or "". */
  camera: string;
  keys: boolean;
}

interface Props {
  client: Client;
  hidden: boolean;
  live: Route;
  options: Options;
  onProfile(profile: Profile): void;
  onOverlay(overlay: Overlay): void;
  onCamera(deviceId: string): void;
  onKeys(on: boolean): void;
  onStart(kind: StartKind): void;
  onAgain(plan: Plan): void;
  onStop(): void;
}

/** The live screen: the annotated picture, how it is made, its numbers, and events beside it. */
export function LiveView({ client, hidden, live, options, onProfile, onOverlay, onCamera, onKeys, onStart, onAgain, onStop }: Props) {
  const { session, health, snapshots, router } = client;
  const [spot, setSpot] = useState<Spot | null>(null);
  const [muted, setMuted] = useState(true);
  const [flash, setFlash] = useState(0);
  const [help, setHelp] = useState(false);
  /** What a phone shows under the picture; wider screens show both. */
  const [tab, setTab] = useState<Tab>("events");
  const stage = useRef<HTMLElement>(null);
  const phase = useStore(session.phase);
  const running = useStore(session.running);
  const { hasAudio } = useStore(session.media);
  const active = isActive(phase);

  const snapshot = () => {
    if (phase.name !== "live" || !running) return;
    setFlash((number) => number + 1);
    void snapshots.take(running.sessionId);
  };
  const fullscreen = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (active) void stage.current?.requestFullscreen?.().catch(() => undefined);
  };
  const mute = () => hasAudio && setMuted((on) => !on);
  const start = (kind: StartKind) => {
    setMuted(true);
    onStart(kind);
  };

  useKeys(options.keys, {
    toggle: () => (hidden ? undefined : active ? onStop() : start(options.kind)),
    snapshot,
    fullscreen,
    mute,
    help: () => setHelp(true),
    live: () => router.go(live),
    sessions: () => router.go({ view: "sessions", session: null }),
  });

  return (
    <>
      <div className={styles.live} hidden={hidden} data-tab={tab}>
        <main className={styles.main} id="main" tabIndex={-1}>
          <TopBar session={session} health={health} onHelp={() => setHelp(true)} />
          <Stage
            ref={stage}
            client={client}
            spot={spot}
            muted={muted}
            flash={flash}
            camera={options.camera}
            onMute={mute}
            onSnapshot={snapshot}
            onFullscreen={fullscreen}
            onStart={start}
            onAgain={onAgain}
            onCamera={onCamera}
          />
          <Controls
            client={client}
            options={options}
            onProfile={onProfile}
            onOverlay={onOverlay}
            onCamera={onCamera}
            onStart={start}
            onAgain={onAgain}
            onStop={onStop}
          />
          <div className={styles.tabs}>
            <Segmented<Tab> name="tab" legend="" label="Under the picture" value={tab} options={TABS} onChange={(value: Tab) => setTab(value)} />
          </div>
          <Numbers session={session} />
        </main>
        <Events session={session} active={active} onSpot={setSpot} />
      </div>
      {help && <HelpDialog keys={options.keys} onKeys={onKeys} onClose={() => setHelp(false)} />}
    </>
  );
}
