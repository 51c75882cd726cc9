"""Utterances to learn from, each made on the spot: words in a row, at some level, in some noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.tracks.asr.words.voices import Clip, Said, Voice
from tracks.types import SAMPLE_RATE, Samples

PAUSE_S = (0.03, 0.35)
"""Between words of a segment."""
LONG_PAUSE_S = (0.85, 1.5)
"""Between segments."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is heard and what is said in it, segment by segment; no segments: nobody speaks."""

    samples: Samples
    language: str
    segments: tuple[tuple[Said, ...], ...]

    @property
    def said(self) -> list[Said]:
        """All words."""
        return [word for segment in self.segments for word in segment]

    @property
    def text(self) -> str:
        """All words as one line."""
        return " ".join(word.word for word in self.said)


@dataclass(frozen=True, slots=True)
class Mix:
    """How utterances are made; probabilities, and numbers of words."""

    words: tuple[int, int] = (1, 6)
    nobody: float = 0.1
    german: float = 0.25
    phrase: float = 0.4
    """That flite's next words come in one breath."""
    long_pause: float = 0.15
    late: float = 0.2
    """That speech begins later than 1 s."""
    trailing: float = 0.02
    """That there is a long silence at the end."""
    cut: float = 0.2
    """That the sound ends within the words, as that of somebody who goes on speaking."""
    noisy: float = 0.7


class Composer:
    """Makes utterances, the same for the same seed."""

    def __init__(self, voices: list[Voice], seed: int) -> None:
        self._voices = {code: [each for each in voices if each.language == code] for code in ("en", "de")}
        self._rng = np.random.default_rng(seed)

    def next(self, mix: Mix) -> Spoken:
        """One utterance."""
        rng = self._rng
        if rng.random() < mix.nobody:
            return self._nobody()
        spoken = self._speech(mix)
        if rng.random() < mix.cut:
            spoken = self._cut(spoken)
        return replace(spoken, samples=self._recorded(spoken.samples, mix))

    def _speech(self, mix: Mix) -> Spoken:
        rng = self._rng
        language = "de" if rng.random() < mix.german else "en"
        voice = self._voices[language][rng.integers(len(self._voices[language]))]
        wanted = rng.integers(mix.words[0], mix.words[1] + 1)
        lead_s = rng.uniform(1.0, 6.0) if rng.random() < mix.late else rng.uniform(0.02, 0.95)
        parts = [np.zeros(round(lead_s * SAMPLE_RATE), np.float32)]
        segments: list[list[Said]] = [[]]
        count = 0
        while count < wanted:
            if count:
                long = rng.random() < mix.long_pause
                pause_s = rng.uniform(*(LONG_PAUSE_S if long else PAUSE_S))
                parts.append(np.zeros(round(pause_s * SAMPLE_RATE), np.float32))
                if long:
                    segments.append([])
            clip = self._sped(self._clip(voice, wanted - count, mix))
            at_s = sum(map(len, parts)) / SAMPLE_RATE
            segments[-1] += [Said(each.word, at_s + each.start_s, at_s + each.end_s) for each in clip.said]
            parts.append(clip.samples * 10 ** (rng.uniform(-4, 0) / 20))
            count += len(clip.said)
        trail_s = rng.uniform(1.0, 20.0) if rng.random() < mix.trailing else rng.uniform(0.05, 1.0)
        parts.append(np.zeros(round(trail_s * SAMPLE_RATE), np.float32))
        return Spoken(np.concatenate(parts).astype(np.float32), language, tuple(map(tuple, segments)))

    def _clip(self, voice: Voice, most: int, mix: Mix) -> Clip:
        rng = self._rng
        if voice.phrases and rng.random() < mix.phrase:
            clip = voice.phrases[rng.integers(len(voice.phrases))]
            if len(clip.said) <= most:
                return clip
        words = list(voice.words.values())
        return words[rng.integers(len(words))]

    def _sped(self, clip: Clip) -> Clip:
        """Up to 8 % faster and higher, or slower and lower."""
        factor = self._rng.uniform(0.92, 1.08)
        count = round(len(clip.samples) / factor)
        at = np.arange(count) * factor
        samples = np.interp(at, np.arange(len(clip.samples)), clip.samples).astype(np.float32)
        said = [Said(each.word, each.start_s / factor, each.end_s / factor) for each in clip.said]
        return Clip(samples, tuple(said))

    def _cut(self, spoken: Spoken) -> Spoken:
        """Without what comes after some moment. No word is cut where it might be heard, or might not."""
        rng = self._rng
        word = spoken.said[rng.integers(len(spoken.said))]
        length_s = word.end_s - word.start_s
        part = rng.uniform(-0.1, 0.3) if rng.random() < 0.5 else rng.uniform(0.9, 1.1)
        end_s = max(word.start_s + part * length_s, 0.3)
        kept = [
            tuple(
                replace(each, end_s=min(each.end_s, end_s))
                for each in segment
                if each.start_s + 0.85 * (each.end_s - each.start_s) <= end_s
            )
            for segment in spoken.segments
        ]
        return replace(
            spoken, samples=spoken.samples[: round(end_s * SAMPLE_RATE)], segments=tuple(each for each in kept if each)
        )

    def _recorded(self, samples: Samples, mix: Mix) -> Samples:
        """Through some microphone, in some room."""
        rng = self._rng
        tilt = rng.uniform(-0.5, 0.5)
        samples = samples + tilt * np.concatenate([samples[:1], samples[:-1]])
        peak = np.abs(samples).max()
        if peak:
            samples = samples * (10 ** (rng.uniform(-28, -1) / 20) / peak)
        if rng.random() < mix.noisy:
            power = np.mean(np.square(samples)) + 1e-12
            samples = samples + self._noise(len(samples)) * np.sqrt(power) * 10 ** (-rng.uniform(10, 40) / 20)
        return np.clip(samples, -1, 1).astype(np.float32)

    def _nobody(self) -> Spoken:
        """Noise of some level, or clicks, or nothing at all."""
        rng = self._rng
        count = round(rng.uniform(0.3, 5.0) * SAMPLE_RATE)
        samples = np.zeros(count, np.float32)
        kind = rng.random()
        if kind > 0.1:
            samples = self._noise(count) * 10 ** (rng.uniform(-70, -10) / 20)
        if kind > 0.8:
            samples[rng.integers(count, size=rng.integers(1, 6))] += rng.uniform(-1, 1)
        if 0.6 < kind < 0.8:
            hum = rng.uniform(40, 1500)
            samples += 10 ** (rng.uniform(-50, -10) / 20) * np.sin(2 * np.pi * hum * np.arange(count) / SAMPLE_RATE)
        return Spoken(np.clip(samples, -1, 1).astype(np.float32), "en", ())

    def _noise(self, count: int) -> Samples:
        """White, pink, or in between, with an RMS of 1."""
        rng = self._rng
        white = rng.normal(0, 1, count)
        if rng.random() < 0.4:
            return white.astype(np.float32)
        spectrum = np.fft.rfft(white)
        spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0.2, 0.6)
        coloured = np.fft.irfft(spectrum, count)
        return (coloured / np.sqrt(np.mean(np.square(coloured)))).astype(np.float32)
