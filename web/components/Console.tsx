"use client";

import { useEffect, useState } from "react";
import type { Plan, StartKind } from "@/lib/choice";
import { createClient } from "@/lib/client";
import { isActive } from "@/lib/phase";
import type { Overlay, Profile } from "@/lib/types";
import styles from "./Console.module.css";
import { OVERLAYS, PROFILES } from "./Controls";
import { useChoice, useStore } from "./hooks";
import { FileView } from "./FileView";
import { LiveView } from "./LiveView";
import { Rail } from "./Rail";
import { SessionsView } from "./SessionsView";
import { SignIn } from "./SignIn";
import { SOURCE_KINDS } from "./sources";
import { Toasts } from "./Toasts";

const SKIP = { live: "#main", sessions: "#sessions", file: "#file" } as const;
const ON_OFF = ["on", "off"] as const;

/** The shell: where one is, what is chosen, and what runs whichever view is open. */
export function Console() {
  const [client] = useState(createClient);
  const { access, session, health, router } = client;
  const [profile, setProfile] = useChoice<Profile>("profile", "auto", PROFILES);
  const [overlay, setOverlay] = useChoice<Overlay>("overlay", "smooth", OVERLAYS);
  const [kind, setKind] = useChoice<StartKind>("source", "demo", SOURCE_KINDS);
  const [camera, setCamera] = useChoice<string>("camera", "");
  const [microphone, setMicrophone] = useChoice<"on" | "off">("microphone", "off", ON_OFF);
  const [keys, setKeys] = useChoice<"on" | "off">("keys", "on", ON_OFF);
  const phase = useStore(session.phase);
  const route = useStore(router.route);
  const who = useStore(access.view);
  const file = useStore(client.file.view);
  const watch = route.view === "live" ? route.watch : null;
  const plan = useStore(session.plan);
  // Where the live view is: a session that is watched stays in its address.
  const live = { view: "live", watch: plan?.choice.kind === "watch" && isActive(phase) ? plan.choice.sessionId : null } as const;

  useEffect(() => {
    void access.ask();
    void health.ask();
    const stops = [router.listen(), client.cameras.watch()];
    const leave = () => {
      client.sessions.flush();
      client.file.leave();
      session.stop(true);
    };
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      for (const stop of stops) stop();
      session.stop();
      health.stop();
    };
  }, [client, access, session, health, router]);

  useEffect(() => {
    // Which model runs may change with a session, and a failure may mean that the server is gone.
    if (phase.name === "live" || phase.name === "failed") void health.ask();
    // Cameras have names once one of them was allowed.
    if (phase.name === "live") void client.cameras.look();
  }, [phase.name, health, client]);

  useEffect(() => {
    // The address says which session is watched: a link, back and forward all lead here.
    if (route.view !== "live") return;
    const plan = session.plan.getSnapshot();
    const watched = plan?.choice.kind === "watch" && isActive(session.phase.getSnapshot()) ? plan.choice.sessionId : null;
    if (watch === watched) return;
    if (watch === null || isActive(session.phase.getSnapshot())) session.stop();
    if (watch !== null) void session.start({ choice: { kind: "watch", sessionId: watch }, profile: "auto", overlay: "smooth", microphone: false });
  }, [route.view, watch, session]);

  const begin = (plan: Plan) => {
    if (isActive(session.phase.getSnapshot())) session.stop();
    void session.start(plan);
    router.go({ view: "live", watch: plan.choice.kind === "watch" ? plan.choice.sessionId : null }, true);
  };
  const start = (wanted: StartKind) => {
    setKind(wanted);
    const choice = wanted === "camera" ? { kind: wanted, deviceId: camera || null } : { kind: wanted };
    begin({ choice, profile, overlay, microphone: microphone === "on" });
  };
  const stop = () => {
    session.stop();
    router.go({ view: "live", watch: null }, true);
  };
  const pickCamera = (deviceId: string) => {
    setCamera(deviceId);
    void session.switchCamera(deviceId);
  };

  const switchMicrophone = (on: boolean) => {
    setMicrophone(on ? "on" : "off");
    if (!on) session.microphone.close();
    // A session that was started without it would not listen: it applies at the next start.
    else if (session.plan.getSnapshot()?.choice.kind === "camera" && session.running.getSnapshot()?.hears === "yes") void session.microphone.open();
  };

  const signOut = () => {
    stop();
    void access.signOut();
  };

  return (
    <>
      <div className={styles.shell} inert={who.state === "out"}>
        <a className={styles.skip} href={SKIP[route.view]}>
          Skip to the content
        </a>
        <Rail route={route} live={live} running={phase.name === "live"} working={file.state === "sending" || file.state === "running"} who={who.state === "in" ? who : null} onGo={router.go} onSignOut={signOut} />
        <LiveView
          client={client}
          hidden={route.view !== "live"}
          live={live}
          options={{ profile, overlay, kind, camera, microphone: microphone === "on", keys: keys === "on" && who.state !== "out" }}
          onProfile={setProfile}
          onOverlay={setOverlay}
          onCamera={pickCamera}
          onMicrophone={switchMicrophone}
          onKeys={(on) => setKeys(on ? "on" : "off")}
          onStart={start}
          onAgain={begin}
          onStop={stop}
        />
        {route.view === "sessions" && (
          // Not loaded on demand: it weighs 4 kB, and is wanted most when the server it would come from is gone.
          <SessionsView client={client} selected={route.session} onDemo={() => start("demo")} />
        )}
        {route.view === "file" && <FileView client={client} profile={profile} onProfile={setProfile} />}
        <Toasts toasts={client.toasts} />
      </div>
      <SignIn access={access} />
    </>
  );
}
