"use client";

import { Moon, Sun } from "lucide-react";
import styles from "./ThemeToggle.module.css";

/** Dark or light; until it is used, the system decides. Which icon shows is CSS, so the prerendered page is right too. */
export function ThemeToggle() {
  const toggle = () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    try {
      localStorage.setItem("vedette.theme", next);
    } catch {
      // Storage may be blocked; the theme then lasts as long as the page.
    }
  };
  return (
    <button type="button" className={styles.toggle} onClick={toggle} title="Dark or light" aria-label="Theme: switch between dark and light">
      <Sun size={20} className={styles.sun} aria-hidden />
      <Moon size={20} className={styles.moon} aria-hidden />
      <span className={styles.label} aria-hidden>
        Theme
      </span>
    </button>
  );
}
