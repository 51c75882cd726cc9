"use client";

import { Check, CircleAlert, CircleStop, Play, RotateCw, ShieldAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Fault } from "@/lib/faults";
import { duration } from "@/lib/format";
import type { HealthWatch } from "@/lib/health";
import type { Phase } from "@/lib/phase";
import styles from "./Cover.module.css";
import { useNow, useStore } from "./hooks";

interface Props {
  phase: Phase;
  health: HealthWatch;
  onStart(): void;
  onRetry(): void;
}

/** What stands in the picture's place: an invitation, progress, a stall with its age, or a failure with its remedy. */
export function Cover({ phase, health, onStart, onRetry }: Props) {
  switch (phase.name) {
    case "idle":
      return <Invitation health={health} onStart={onStart} />;
    case "starting":
      return <Progress phase={phase} />;
    case "stalled":
      return <Stalled phase={phase} />;
    case "reconnecting":
      return <Reconnecting phase={phase} onRetry={onRetry} />;
    case "ended":
      return (
        <Notice icon={<CircleStop size={28} aria-hidden />} title="The session is over" text={phase.reason}>
          <button type="button" className={styles.primary} onClick={onStart}>
            <Play size={16} fill="currentColor" aria-hidden /> Start again
          </button>
        </Notice>
      );
    case "failed":
      return <Failed fault={phase.fault} onStart={onStart} />;
    case "live":
      return null;
  }
}

function Invitation({ health, onStart }: { health: HealthWatch; onStart(): void }) {
  const view = useStore(health.view);
  return (
    <div className={styles.cover}>
      <div className={styles.finder} aria-hidden>
        <span />
        <span />
        <span />
        <span />
      </div>
      <div className={styles.center}>
        <h2 className={styles.headline}>See what it sees</h2>
        <p className={styles.lead}>
          Your camera goes to this Vedette server and comes back with boxes, labels and track numbers. The pictures go nowhere else.
        </p>
        {view.state === "gone" ? (
          <>
            <p className={styles.trouble} role="alert">
              The server does not answer. Check the terminal that runs it; this page keeps asking.
            </p>
            <button type="button" className={styles.secondary} onClick={() => void health.ask()}>
              <RotateCw size={16} aria-hidden /> Ask again
            </button>
          </>
        ) : (
          <button type="button" className={styles.primary} onClick={onStart}>
            <Play size={16} fill="currentColor" aria-hidden /> Start camera
          </button>
        )}
      </div>
    </div>
  );
}

function Progress({ phase }: { phase: Extract<Phase, { name: "starting" }> }) {
  const now = useNow(true, 200);
  const { camera, session, connection } = phase.steps;
  const steps = [
    { done: camera, text: camera ? "Camera open" : "Waiting for the camera: allow it if the browser asks" },
    { done: session, text: session ? "Session made" : "Making a session" },
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

function Stalled({ phase }: { phase: Extract<Phase, { name: "stalled" }> }) {
  const now = useNow(true, 250);
  const camera = phase.cause === "camera";
  return (
    <div className={styles.cover} data-veil data-hatched>
      <div className={styles.center} role="alert">
        <p className={styles.age}>{duration((Math.max(now, phase.since) - phase.since) / 1_000)}</p>
        <h2 className={styles.title}>{camera ? "Your camera sends no pictures" : "No new picture"}</h2>
        <p className={styles.text}>
          {camera
            ? "Look for a shutter or another program that took the camera. It goes on by itself when pictures come."
            : "What you see behind this is old. Reconnecting begins by itself if nothing comes."}
        </p>
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

function Failed({ fault, onStart }: { fault: Fault; onStart(): void }) {
  const Icon = fault.code === "camera_denied" || fault.action === "secure" ? ShieldAlert : CircleAlert;
  return (
    <Notice icon={<Icon size={28} aria-hidden />} title={fault.title} text={fault.text} code={fault.code} failed>
      {fault.action === "secure" ? (
        <a className={styles.primary} href={`http://localhost:${location.port || "80"}${location.pathname}`}>
          {fault.actionLabel}
        </a>
      ) : (
        <button type="button" className={styles.primary} onClick={fault.action === "reload" ? () => location.reload() : onStart}>
          <RotateCw size={16} aria-hidden /> {fault.actionLabel}
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
        {children}
        {code && <p className={`${styles.code} mono`}>{code}</p>}
      </div>
    </div>
  );
}
