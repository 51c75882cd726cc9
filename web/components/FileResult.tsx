"use client";

import { Download, History, Plus } from "lucide-react";
import { hrefOf } from "@/lib/api";
import type { Client } from "@/lib/client";
import type { FileView as View } from "@/lib/filework";
import styles from "./FileView.module.css";
import { SessionWords } from "./SessionWords";

interface Props {
  client: Client;
  view: Extract<View, { state: "done" }>;
  onAgain(): void;
}

/** What came of a file: its film, what was said, and the way to its events. */
export function FileResult({ client, view, onAgain }: Props) {
  const { name, session, film, problems } = view;
  const listens = session.pipelines?.includes("audio") ?? false;
  return (
    <section className={styles.result} aria-label="Result">
      <h2 className={styles.title}>{name}</h2>
      <p className={styles.text} role="status">
        {session.reason === "source ended" ? "It is done." : `It was not finished: ${session.reason ?? "nobody knows why"}.`} {session.seq.toLocaleString("en")} events are kept.
      </p>
      {problems.length > 0 && (
        <ul className={styles.problems} aria-label="What went wrong">
          {problems.map((problem, i) => (
            <li key={i}>{problem}</li>
          ))}
        </ul>
      )}
      {film && <video className={styles.film} controls preload="metadata" src={hrefOf(film.url)} aria-label="Annotated film" />}
      <div className={styles.actions}>
        {film && (
          <a className={styles.primary} href={hrefOf(film.url)} download={`${name.replace(/\.[^.]*$/, "")}-annotated.${film.mediaType === "video/webm" ? "webm" : "mp4"}`}>
            <Download size={16} aria-hidden /> Download the film
          </a>
        )}
        <button type="button" className={styles.secondary} onClick={() => client.router.go({ view: "sessions", session: session.sessionId })}>
          <History size={16} aria-hidden /> Read its events
        </button>
        <button type="button" className={styles.secondary} onClick={onAgain}>
          <Plus size={16} aria-hidden /> Another file
        </button>
      </div>
      {listens && (
        <section className={styles.words} aria-label="What was said">
          <h3>Transcript</h3>
          <SessionWords words={client.words} sessionId={session.sessionId} listens={listens} over recorded />
        </section>
      )}
    </section>
  );
}
