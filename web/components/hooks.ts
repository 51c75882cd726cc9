import { useEffect, useState, useSyncExternalStore } from "react";
import type { Store } from "@/lib/store";

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** Document time in ms, renewed every `everyMs` while `on`. */
export function useNow(on: boolean, everyMs = 1_000): number {
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (!on) return;
    const tell = () => setNow(performance.now());
    tell();
    const timer = setInterval(tell, everyMs);
    return () => clearInterval(timer);
  }, [on, everyMs]);
  return now;
}

const PREFIX = "vedette.";

/** A choice that is kept in this browser; `allowed` guards against what an older version stored. */
export function useChoice<T extends string>(name: string, initial: T, allowed?: readonly T[]): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(initial);
  useEffect(() => {
    try {
      const kept = localStorage.getItem(PREFIX + name) as T | null;
      // The page is prerendered without a browser: what was kept can only be read after hydration.
      // eslint-disable-next-line react-hooks/set-state-in-effect
      if (kept !== null && (!allowed || allowed.includes(kept))) setValue(kept);
    } catch {
      // Storage may be blocked; the choice then lasts as long as the page.
    }
  }, [name, allowed]);
  const choose = (next: T) => {
    setValue(next);
    try {
      localStorage.setItem(PREFIX + name, next);
    } catch {
      // As above.
    }
  };
  return [value, choose];
}
