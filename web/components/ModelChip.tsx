"use client";

import { Cpu, TriangleAlert, Unplug } from "lucide-react";
import type { Health } from "@/lib/api";
import type { HealthWatch } from "@/lib/health";
import { useStore } from "./hooks";
import styles from "./ModelChip.module.css";

const CARD = "model-card";

/** Which model runs and on what; amber, with the reason, when it is not the one that was asked for. */
export function ModelChip({ health }: { health: HealthWatch }) {
  const view = useStore(health.view);
  if (view.state === "asking") return null;
  if (view.state === "gone") {
    return (
      <button type="button" className={styles.chip} data-tone="failed" onClick={() => void health.ask()}>
        <Unplug size={14} aria-hidden />
        <span className={styles.label}>Server offline</span>
        <span className={styles.more}>Ask again</span>
      </button>
    );
  }
  const { detector, problems } = view.health;
  const unwell = problems.length > 0;
  const amber = !detector || detector.fallback || unwell;
  const Icon = amber ? TriangleAlert : Cpu;
  return (
    <>
      <button type="button" className={styles.chip} data-tone={amber ? "degraded" : "plain"} popoverTarget={CARD}>
        <Icon size={14} aria-hidden />
        <span className={styles.label}>
          {detector?.fallback && <span className={styles.fallback}>Fallback: </span>}
          {detector ? detector.name : "Detector not ready"}
        </span>
        {detector && <span className={styles.more}>{unwell ? "self-test failed" : `${detector.runtime} · ${detector.device}`}</span>}
      </button>
      <div id={CARD} popover="auto" className={styles.card}>
        <h2>{title(view.health)}</h2>
        {detector && (
          <dl>
            <dt>Model</dt>
            <dd className="mono">{detector.name}</dd>
            <dt>Runtime</dt>
            <dd className="mono">{detector.runtime}</dd>
            <dt>Device</dt>
            <dd className="mono">{detector.device}</dd>
            <dt>Precision</dt>
            <dd className="mono">{detector.precision}</dd>
          </dl>
        )}
        {detector?.reason && <p>Why: {detector.reason}.</p>}
        {detector?.fallback && (
          <p className={styles.action}>
            Set <code className="mono">VEDETTE_DETECTOR</code> to a model that this machine has, then restart the server.
          </p>
        )}
        {unwell && (
          <div className={styles.action} role="alert">
            {problems.map((problem) => (
              <p key={problem}>{problem}</p>
            ))}
            <p>This page keeps asking. If it stays so, the server&rsquo;s log says more.</p>
          </div>
        )}
      </div>
    </>
  );
}

function title({ detector, problems }: Health): string {
  if (!detector) return "No detector runs yet";
  if (problems.length > 0) return "A self-test failed";
  return detector.fallback ? "Not the model that was asked for" : "The model that runs";
}
