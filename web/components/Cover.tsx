"use client";

import { Check, CircleAlert, CircleStop, History, Play, RotateCw, ShieldAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Plan, StartKind } from "@/lib/choice";
import type { Client } from "@/lib/client";
import { duration } from "@/lib/format";
import type { Phase } from "@/lib/phase";
import styles from "./Cover.module.css";
import { useNow, useStore } from "./hooks";
import { Invitation } from "./Invitation";

export interface CoverProps {
  client: Client;
  /** Device id of the camera that was picked, or "". */
  camera: string;
  onStart(kind: StartKind): void;
  onAgain(plan: Plan): void;
  onCamera(deviceId: string): void;
}

/** What stands in the picture's place: an invitation, progress, a stall with its age, or a failure with its remedy. */
export function Cover({ phase, ...props }: CoverProps & { phase: Exclude<Phase, { name: "live" }> }) {
  switch (phase.name) {
    case "idle":
      return <Invitation {...props} />;
    case "starting":
      return <Progress phase={phase} client={props.client} />;
    case "stalled":
      return <Stalled phase={phase} client={props.client} />;
    case "reconnecting":
      return <Reconnecting phase={phase} onRetry={props.client.session.retryNow} />;
    case "ended":
      return <Ended phase={phase} {...props} />;
    case "failed":
      return <Failed phase={phase} {...props} />;
  }
}

const CAPTURE_WORDS = {
  camera: ["Waiting for the camera: allow it if the browser asks", "Camera open"],
  screen: ["Waiting for you to choose a screen", "Screen shared"],
} as const;

function Progress({ phase, client }: { phase: Extract<Phase, { name: "starting" }>; client: Client }) {
  const now = useNow(true, 200);
  const kind = useStore(client.session.plan)?.choice.kind;
  const { capture, session, connection } = phase.steps;
  const steps = [
    ...(kind === "camera" || kind === "screen" ? [{ done: capture, text: CAPTURE_WORDS[kind][capture ? 1 : 0] }] : []),
    kind === "watch"
      ? { done: session, text: session ? "Session found" : "Looking for the session" }
      : { done: session, text: session ? "Session made" : "Making a session" },
    { done: connection, text: connection ? "Connected" : "Connecting" },
    { done: false, text: "First annotated picture" },
  ];
  return (
    <div className={styles.cover} data-veil>
      <div className={styles.center}>
        <p className={styles.seconds}>{(Math.max(0, now - phase.since) / 1_000).toFixed(1)} s</p>
        <ol className={styles.steps}>
          {steps.map(({ done, text }, i) => (
            <li key={i} data-done={done}>
              <span className={styles.tick} aria-hidden>
                {done && <Check size={12} strokeWidth={3} />}
              </span>
              {text}
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}

function Stalled({ phase, client }: { phase: Extract<Phase, { name: "stalled" }>; client: Client }) {
  const now = useNow(true, 250);
  const kind = useStore(client.session.plan)?.choice.kind;
  const words =
    phase.cause === "server"
      ? ["No new picture", "What you see behind this is old. Reconnecting begins by itself if nothing comes."]
      : kind === "camera"
        ? ["Your camera sends no pictures", "Look for a shutter or another program that took the camera. It goes on by itself when pictures come."]
        : ["Its source sends no pictures", "The session waits for them, and so does this page. What you see behind this is old."];
  return (
    <div className={styles.cover} data-veil data-hatched>
      <div className={styles.center} role="alert">
        <p className={styles.age}>{duration((Math.max(now, phase.since) - phase.since) / 1_000)}</p>
        <h2 className={styles.title}>{words[0]}</h2>
        <p className={styles.text}>{words[1]}</p>
      </div>
    </div>
  );
}

function Reconnecting({ phase, onRetry }: { phase: Extract<Phase, { name: "reconnecting" }>; onRetry(): void }) {
  const now = useNow(true, 250);
  const wait = phase.retryAt === null ? null : Math.max(0, Math.ceil((phase.retryAt - now) / 1_000));
  return (
    <div className={styles.cover} data-veil data-hatched>
      <div className={styles.center}>
        <p className={styles.age}>{duration((Math.max(now, phase.since) - phase.since) / 1_000)}</p>
        <h2 className={styles.title}>{phase.cause}</h2>
        <p className={styles.text}>
          Attempt {phase.attempt}
          {wait === null ? ", under way" : wait > 0 ? `, in ${wait} s` : ", now"}. The session and its events are kept.
        </p>
        <button type="button" className={styles.secondary} disabled={wait === null} onClick={onRetry}>
          <RotateCw size={16} aria-hidden /> Retry now
        </button>
      </div>
    </div>
  );
}

function Ended({ phase, client, onAgain, onStart }: CoverProps & { phase: Extract<Phase, { name: "ended" }> }) {
  const plan = useStore(client.session.plan);
  const watched = plan?.choice.kind === "watch";
  return (
    <Notice icon={<CircleStop size={28} aria-hidden />} title={phase.title} text={phase.text}>
      <button type="button" className={styles.primary} onClick={() => (plan && !watched ? onAgain(plan) : onStart("demo"))}>
        <Play size={16} fill="currentColor" aria-hidden /> {watched ? "Start demo" : "Start again"}
      </button>
      <button type="button" className={styles.secondary} onClick={() => client.router.go({ view: "sessions", session: phase.sessionId })}>
        <History size={16} aria-hidden /> {phase.sessionId ? "Read its events" : "All sessions"}
      </button>
    </Notice>
  );
}

function Failed({ phase, client, onAgain, onStart }: CoverProps & { phase: Extract<Phase, { name: "failed" }> }) {
  const { fault, retryAt } = phase;
  const now = useNow(retryAt !== null, 250);
  const plan = useStore(client.session.plan);
  const wait = retryAt === null || now === 0 ? null : Math.max(0, Math.ceil((retryAt - now) / 1_000));
  const Icon = fault.code === "camera_denied" || fault.action === "secure" ? ShieldAlert : CircleAlert;
  return (
    <Notice icon={<Icon size={28} aria-hidden />} title={fault.title} text={fault.text} code={fault.code} failed>
      {fault.action === "secure" ? (
        <a className={styles.primary} href={`http://localhost:${globalThis.location?.port || "80"}/`}>
          {fault.actionLabel}
        </a>
      ) : (
        <button
          type="button"
          className={styles.primary}
          onClick={() => (fault.action === "reload" ? location.reload() : plan ? onAgain(plan) : onStart("demo"))}
        >
          <RotateCw size={16} aria-hidden /> {fault.actionLabel}
          {wait !== null && <span className={styles.wait}>by itself in {wait} s</span>}
        </button>
      )}
      {fault.demoInstead && (
        <button type="button" className={styles.secondary} onClick={() => onStart("demo")}>
          <Play size={16} aria-hidden /> Start demo instead
        </button>
      )}
      {plan?.choice.kind === "watch" && (
        <button type="button" className={styles.secondary} onClick={() => client.router.go({ view: "sessions", session: null })}>
          <History size={16} aria-hidden /> All sessions
        </button>
      )}
    </Notice>
  );
}

interface NoticeProps {
  icon: ReactNode;
  title: string;
  text: string;
  code?: string;
  failed?: boolean;
  children: ReactNode;
}

function Notice({ icon, title, text, code, failed = false, children }: NoticeProps) {
  return (
    <div className={styles.cover}>
      <div className={styles.center} role={failed ? "alert" : undefined}>
        <span className={styles.icon} data-failed={failed}>
          {icon}
        </span>
        <h2 className={styles.title}>{title}</h2>
        <p className={styles.text}>{text}</p>
        <div className={styles.actions}>{children}</div>
        {code && <p className={`${styles.code} mono`}>{code}</p>}
      </div>
    </div>
  );
}
