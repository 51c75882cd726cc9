"use client";

import type { LucideIcon } from "lucide-react";
import { useState } from "react";
import { artifactHref } from "@/lib/api";
import styles from "./Thumb.module.css";

interface Props {
  /** Artifact id; without one, or when it cannot be loaded, the icon stands alone. */
  artifact: string | null | undefined;
  Icon: LucideIcon;
  alt: string;
}

/** A small picture of what an event is about. Its place is kept from the start, so nothing moves when it comes. */
export function Thumb({ artifact, Icon, alt }: Props) {
  const [failed, setFailed] = useState<string | null>(null);
  const shown = artifact && failed !== artifact;
  return (
    <span className={styles.thumb} data-picture={Boolean(shown)}>
      {shown && (
        <img
          src={artifactHref(artifact)}
          alt={alt}
          width={48}
          height={48}
          loading="lazy"
          decoding="async"
          onError={() => setFailed(artifact)}
        />
      )}
      <span className={styles.icon}>
        <Icon size={shown ? 11 : 18} strokeWidth={shown ? 2.5 : 2} aria-hidden />
      </span>
    </span>
  );
}
