"use client";

import { useRef, useState, useSyncExternalStore } from "react";
import type { Plan, StartKind } from "@/lib/choice";
import type { Client } from "@/lib/client";
import { isActive } from "@/lib/phase";
import type { Route } from "@/lib/route";
import type { LiveSession } from "@/lib/session";
import type { SilenceAction } from "@/lib/silence";
import type { Overlay, Profile } from "@/lib/types";
import { Controls } from "./Controls";
import { Events } from "./Events";
import { HelpDialog } from "./HelpDialog";
import { useStore } from "./hooks";
import { useKeys } from "./keys";
import styles from "./LiveView.module.css";
import { Numbers } from "./Numbers";
import { type PanelTab, PanelTabs } from "./PanelTabs";
import { Segmented } from "./Segmented";
import type { Spot } from "./Spotlight";
import { Stage } from "./Stage";
import { TopBar } from "./TopBar";
import { Transcript } from "./Transcript";

type Tab = PanelTab | "numbers";

export interface Options {
  profile: Profile;
  overlay: Overlay;
  /** The source that Space starts. */
  kind: StartKind;
  /** Device id of the camera that was picked, or "". */
  camera: string;
  /** A camera's sound is wanted, too. */
  microphone: boolean;
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
  onMicrophone(on: boolean): void;
  onKeys(on: boolean): void;
  onStart(kind: StartKind): void;
  onAgain(plan: Plan): void;
  onStop(): void;
}

/** The live screen: the annotated picture, how it is made, its numbers, and events beside it. */
export function LiveView({ client, hidden, live, options, onProfile, onOverlay, onCamera, onMicrophone, onKeys, onStart, onAgain, onStop }: Props) {
  const { session, health, snapshots, router } = client;
  const [spot, setSpot] = useState<Spot | null>(null);
  const [muted, setMuted] = useState(true);
  const [flash, setFlash] = useState(0);
  const [help, setHelp] = useState(false);
  /** What a phone shows under the picture; wider screens show both. */
  const [tab, setTab] = useState<Tab>("events");
  /** What wider screens show beside the picture. */
  const [panel, setPanel] = useState<PanelTab>("events");
  const stage = useRef<HTMLElement>(null);
  const phase = useStore(session.phase);
  const running = useStore(session.running);
  const { hasAudio } = useStore(session.media);
  const speaking = useSpeaking(session);
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
  const show = (next: Tab) => {
    setTab(next);
    if (next !== "numbers") setPanel(next);
  };
  const tabs = <PanelTabs value={panel} speaking={speaking} onChange={show} />;
  const onSilence = (action: SilenceAction) => {
    const plan = session.plan.getSnapshot();
    onMicrophone(true);
    if (action === "restart" && plan) onAgain({ ...plan, microphone: true });
  };
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
            muted={muted || !hasAudio}
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
            onMicrophone={onMicrophone}
            onStart={start}
            onAgain={onAgain}
            onStop={onStop}
          />
          <div className={styles.tabs}>
            <Segmented<Tab> name="tab" legend="" label="Under the picture" value={tab} options={tabsOf(speaking)} onChange={show} />
          </div>
          <Numbers session={session} />
        </main>
        {panel === "events" ? (
          <Events session={session} active={active} tabs={tabs} onSpot={setSpot} />
        ) : (
          <Transcript client={client} tabs={tabs} onSilence={onSilence} />
        )}
      </div>
      {help && <HelpDialog keys={options.keys} onKeys={onKeys} onClose={() => setHelp(false)} />}
    </>
  );
}

function tabsOf(speaking: boolean): readonly { value: Tab; label: string; hint: string; mark?: boolean }[] {
  return [
    { value: "events", label: "Events", hint: "What happened" },
    { value: "transcript", label: "Transcript", hint: "What is said", mark: speaking },
    { value: "numbers", label: "Numbers", hint: "How fast and how late" },
  ];
}

/** This alone of the transcript: the picture need not be drawn again for every word. */
function useSpeaking({ feed: { transcript } }: LiveSession): boolean {
  const speaking = () => transcript.view.getSnapshot().speaking;
  return useSyncExternalStore(transcript.view.subscribe, speaking, speaking);
}
