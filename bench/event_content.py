"""Events as busy sessions make them, by the million: the same ones in every run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from server.store import Session
from tracks.events import (
    DetectedObject,
    DetectionData,
    Event,
    FrameSize,
    MetricData,
    Model,
    ObjectData,
    SessionData,
    StageLatency,
    TranscriptData,
)
from tracks.events.envelope import new_id
from tracks.events.speech import SpokenWord

LABELS = ("person", "car", "dog", "bicycle", "chair", "bottle", "truck", "umbrella", "cat", "zebra")
"""From common to rare: each is half as frequent as the one before."""
WORDS = 8000
"""Different words that are spoken, the n-th with a frequency of 1/n, as in any language (Zipf)."""
UTTERANCE_WORDS = (2, 24)
KINDS = {"detection": 45, "object": 25, "transcript": 20, "metric": 9, "session": 1}
"""In a hundred events."""
DIFFERENT = {"transcript": 20_000}
"""How many of a kind have data of their own; else `FEW`."""
FEW = 1000
LATE_S = 2.0
"""How much older than the one before it an event may be, as one that has waited for its picture."""


def word(number: int) -> str:
    """The n-th word, from 0: three letters, of which the first changes fastest."""
    letters = ""
    number += 26 * 26
    while number:
        number, digit = divmod(number, 26)
        letters += chr(ord("a") + digit)
    return letters


class EventMaker:
    """An endless row of events of some sessions, `per_s` of them in a second of their own clock."""

    def __init__(
        self,
        sessions: Sequence[Session],
        shares: Sequence[float],
        start_at: float,
        per_s: float,
        different: int | None = None,
    ) -> None:
        """`different`: so many of each kind have data of their own."""
        self._chance = random.Random(1)
        self._sessions = sessions
        self._shares = list(accumulate(shares))
        self._at = start_at
        self._step_s = 1 / per_s
        self._kinds = list(KINDS)
        self._kind_shares = list(accumulate(KINDS.values()))
        self._label_shares = list(accumulate(0.5**n for n in range(len(LABELS))))
        self._words = [word(n) for n in range(WORDS)]
        self._word_shares = list(accumulate(1 / (n + 1) for n in range(WORDS)))
        self.texts: list[str] = []
        """What is said."""
        makers: Mapping[str, Callable[[], Model]] = {
            "detection": self._detection,
            "object": self._object,
            "transcript": self._transcript,
            "metric": self._metric,
            "session": lambda: SessionData(state="live", change={"profile": "fast"}),
        }
        self._pools = {
            kind: [make() for _ in range(different or DIFFERENT.get(kind, FEW))] for kind, make in makers.items()
        }

    @property
    def at(self) -> float:
        """Unix seconds of the newest event."""
        return self._at

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        (session,) = self._chance.choices(self._sessions, cum_weights=self._shares)
        (kind,) = self._chance.choices(self._kinds, cum_weights=self._kind_shares)
        self._at += self._step_s
        at = self._at - (self._chance.random() * LATE_S if kind == "object" else 0.0)
        return Event(
            id=new_id(),
            kind=kind,
            session_id=session.id,
            source_id=session.source_id,
            at=at,
            media_time=self._at % 1e6,
            data=self._chance.choice(self._pools[kind]),
        )

    def _labels(self, count: int) -> list[str]:
        return self._chance.choices(LABELS, cum_weights=self._label_shares, k=count)

    def _box(self) -> tuple[float, float, float, float]:
        x, y = round(self._chance.uniform(0, 1000), 1), round(self._chance.uniform(0, 600), 1)
        return x, y, x + 100, y + 120

    def _detection(self) -> Model:
        labels = self._labels(self._chance.randint(0, 5))
        return DetectionData(
            frame=FrameSize(width=1280, height=720),
            inference_ms=27.4,
            rtp_time=1234567,
            source_rtp_time=7654321,
            objects=[
                DetectedObject(box=self._box(), label=label, confidence=0.875, track_id=n)
                for n, label in enumerate(labels)
            ],
        )

    def _object(self) -> Model:
        return ObjectData(
            phase="entered",
            track_id=7,
            label=self._labels(1)[0],
            first_seen=1.5,
            last_seen=9.25,
            box=self._box(),
            confidence=0.9,
            thumbnail=new_id(),
        )

    def _transcript(self) -> Model:
        count = self._chance.randint(*UTTERANCE_WORDS)
        spoken = self._chance.choices(self._words, cum_weights=self._word_shares, k=count)
        text = " ".join(spoken)
        self.texts.append(text)
        words = [SpokenWord(text=each, start=n / 4, end=n / 4 + 0.2, probability=0.93) for n, each in enumerate(spoken)]
        return TranscriptData(text=text, final=True, language="en", words=words, speaker=None, engine="bench")

    def _metric(self) -> Model:
        return MetricData(
            fps_in=30.0,
            fps_detected=14.8,
            fps_out=30.0,
            latency_ms={"infer": StageLatency(p50=27.0, p95=31.5), "frame": StageLatency(p50=31.0, p95=38.5)},
            queues={"viewer": 0},
            drops={"detector": 1234},
            cpu_percent=64.5,
            memory_bytes=612_345_678,
            loop_lag_ms=6.0,
        )
