"use client";

import { Activity, FileVideo, Gauge, History, LogOut, type LucideIcon, Video } from "lucide-react";
import type { MouseEvent } from "react";
import type { Role } from "@/lib/access";
import { type Route, routeHref } from "@/lib/route";
import { Mark } from "./Mark";
import styles from "./Rail.module.css";
import { ThemeToggle } from "./ThemeToggle";

interface Props {
  route: Route;
  /** Where the live view is. */
  live: Route;
  /** True while a picture runs, whichever view is open. */
  running: boolean;
  /** True while a file is worked on. */
  working: boolean;
  /** Who is signed in, if somebody is. */
  who: { role: Role; name: string | null } | null;
  onGo(route: Route): void;
  onSignOut(): void;
}

/** Where one can go: at the left, or at the bottom of a phone. */
export function Rail({ route, live, running, working, who, onGo, onSignOut }: Props) {
  const views: readonly { to: Route; label: string; Icon: LucideIcon; lit: boolean }[] = [
    { to: live, label: "Live", Icon: Video, lit: running },
    { to: { view: "file" }, label: "File", Icon: FileVideo, lit: working },
    { to: { view: "sessions", session: null }, label: "Sessions", Icon: History, lit: false },
  ];
  const go = (event: MouseEvent, to: Route) => {
    // A new tab or window is the browser's.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onGo(to);
  };
  return (
    <nav className={styles.rail} aria-label="Main">
      <span className={styles.mark}>
        <Mark />
      </span>
      {views.map(({ to, label, Icon, lit }) => (
        <a
          key={label}
          className={styles.item}
          href={routeHref(to)}
          aria-current={route.view === to.view ? "page" : undefined}
          title={label}
          onClick={(event) => go(event, to)}
        >
          <span className={styles.icon}>
            <Icon size={20} aria-hidden />
            {lit && <span className={styles.lit} aria-hidden />}
          </span>
          <span className={styles.label}>{label}</span>
        </a>
      ))}
      <span className={styles.space} />
      <a className={`${styles.item} ${styles.expert}`} href="/health" target="_blank" rel="noreferrer" title="Health (JSON)">
        <Activity size={20} aria-hidden />
        <span className={styles.label}>Health, opens a new tab</span>
      </a>
      <a className={`${styles.item} ${styles.expert}`} href="/metrics" target="_blank" rel="noreferrer" title="Metrics (Prometheus)">
        <Gauge size={20} aria-hidden />
        <span className={styles.label}>Metrics, opens a new tab</span>
      </a>
      {who?.name != null && (
        <button type="button" className={`${styles.item} ${styles.button}`} onClick={onSignOut} title={`Sign out: this is ${who.name}, ${who.role}`}>
          <LogOut size={20} aria-hidden />
          <span className={styles.label}>Sign out</span>
        </button>
      )}
      <ThemeToggle />
    </nav>
  );
}
