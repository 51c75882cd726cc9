"use client";

import { Cpu, TriangleAlert, Unplug } from "lucide-react";
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
  const { detector } = view.health;
  if (!detector) {
    return (
      <span className={styles.chip} data-tone="degraded">
        <TriangleAlert size={14} aria-hidden />
        <span className={styles.label}>No detector reported</span>
      </span>
    );
  }
  const Icon = detector.fallback ? TriangleAlert : Cpu;
  return (
    <>
      <button type="button" className={styles.chip} data-tone={detector.fallback ? "degraded" : "plain"} popoverTarget={CARD}>
        <Icon size={14} aria-hidden />
        <span className={styles.label}>
          {detector.fallback && <span className={styles.fallback}>Fallback: </span>}
          {detector.name}
        </span>
        <span className={styles.more}>
          {detector.runtime} · {detector.device}
        </span>
      </button>
      <div id={CARD} popover="auto" className={styles.card}>
        <h2>{detector.fallback ? "Not the model that was asked for" : "The model that runs"}</h2>
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
        {detector.reason && <p>{detector.reason}</p>}
        {detector.fallback && (
          <p className={styles.action}>
            Set <code className="mono">VEDETTE_DETECTOR</code> to a model that this machine has, then restart the server.
          </p>
        )}
      </div>
    </>
  );
}
