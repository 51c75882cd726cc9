import { useEffect, useRef } from "react";

/** How long after G the next letter still counts, ms. */
const CHORD_MS = 1_200;

export interface KeyActions {
  /** Space. */
  toggle(): void;
  snapshot(): void;
  fullscreen(): void;
  mute(): void;
  help(): void;
  live(): void;
  sessions(): void;
}

/** What the help lists, in its order. */
export const KEYS: readonly { keys: readonly string[]; does: string }[] = [
  { keys: ["Space"], does: "Start, or stop" },
  { keys: ["S"], does: "Take a snapshot" },
  { keys: ["F"], does: "Full screen" },
  { keys: ["M"], does: "Sound on or off" },
  { keys: ["G", "L"], does: "Go to Live" },
  { keys: ["G", "S"], does: "Go to Sessions" },
  { keys: ["?"], does: "This list" },
];

const SINGLE: Readonly<Record<string, keyof KeyActions>> = { s: "snapshot", f: "fullscreen", m: "mute", "?": "help" };
const AFTER_G: Readonly<Record<string, keyof KeyActions>> = { l: "live", s: "sessions" };

/** Keys that work anywhere on the page, unless switched off (WCAG 2.1.4) or meant for a control. */
export function useKeys(on: boolean, actions: KeyActions): void {
  const newest = useRef(actions);
  useEffect(() => {
    newest.current = actions;
  });
  useEffect(() => {
    if (!on) return;
    let chordUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target instanceof Element ? event.target : document.body;
      if (target.closest("input:not([type=radio]), select, textarea, dialog, [contenteditable]")) return;
      const key = event.key.toLowerCase();
      if (key === " ") {
        // A focused control, or a list that scrolls, has its own use for it.
        if (target.closest("button, a, input, summary, [tabindex]")) return;
        event.preventDefault();
        return newest.current.toggle();
      }
      const chord = event.timeStamp < chordUntil;
      chordUntil = key === "g" ? event.timeStamp + CHORD_MS : 0;
      const action = (chord ? AFTER_G : SINGLE)[key];
      if (!action) return;
      event.preventDefault();
      newest.current[action]();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [on]);
}
