"use client";

import { useEffect, useState } from "react";
import { createClient } from "@/lib/client";
import { isActive } from "@/lib/phase";
import type { Overlay, Profile } from "@/lib/types";
import styles from "./Console.module.css";
import { Controls, OVERLAYS, PROFILES } from "./Controls";
import { Events } from "./Events";
import { useChoice, useStore } from "./hooks";
import { Numbers } from "./Numbers";
import { Rail } from "./Rail";
import type { Spot } from "./Spotlight";
import { Stage } from "./Stage";
import { TopBar } from "./TopBar";

/** The live screen: one camera out, the annotated picture back, events beside it. */
export function Console() {
  const [{ session, health }] = useState(createClient);
  const [profile, setProfile] = useChoice<Profile>("profile", "auto", PROFILES);
  const [overlay, setOverlay] = useChoice<Overlay>("overlay", "smooth", OVERLAYS);
  /** How the running session was started; what differs from it waits for the next start. */
  const [inForce, setInForce] = useState({ profile, overlay });
  const [spot, setSpot] = useState<Spot | null>(null);
  const phase = useStore(session.phase);
  const active = isActive(phase);

  useEffect(() => {
    void health.ask();
    const leave = () => session.stop(true);
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      session.stop();
      health.stop();
    };
  }, [session, health]);

  useEffect(() => {
    // Which model runs may change with a session, and a failure may mean that the server is gone.
    if (phase.name === "live" || phase.name === "failed") void health.ask();
  }, [phase.name, health]);

  const start = () => {
    setInForce({ profile, overlay });
    void session.start(profile, overlay);
  };

  const restart = () => {
    session.stop();
    start();
  };

  return (
    <div className={styles.shell}>
      <Rail />
      <main className={styles.main}>
        <TopBar session={session} health={health} />
        <Stage session={session} health={health} onStart={start} spot={spot} />
        <Controls
          profile={profile}
          overlay={overlay}
          active={active}
          changed={active && (profile !== inForce.profile || overlay !== inForce.overlay)}
          onProfile={setProfile}
          onOverlay={setOverlay}
          onStop={() => session.stop()}
          onRestart={restart}
        />
        <Numbers session={session} />
      </main>
      <Events feed={session.feed} active={active} onSpot={setSpot} />
    </div>
  );
}
