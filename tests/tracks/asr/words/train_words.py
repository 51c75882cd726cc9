"""Trains a tiny Whisper on a few dozen synthesised words, and writes it for CTranslate2.

    nice -n 19 python -m tests.tracks.asr.words.train_words

Goes on from its last checkpoint when it was stopped. README.md says how long it takes and how well it hears.
"""

from __future__ import annotations

import argparse
import math
import pickle
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.tracks.asr.words.examples import BLUR, IGNORED, Batch, Example, Examples
from tests.tracks.asr.words.measure import aligned_heads, hear
from tests.tracks.asr.words.network import POSITIONS, Network, sinusoids
from tests.tracks.asr.words.utterances import Composer, Mix
from tests.tracks.asr.words.vocabulary import ENGLISH, GERMAN, TIMES, Vocabulary, write_tokenizer
from tests.tracks.asr.words.voices import Voice, voices
from tests.tracks.asr.words.written import write

HELD_OUT = 1_000_000
"""Seed of the utterances that it is measured on."""
GUIDED = 2
"""Heads of the last layer of the decoder that are shown where each word is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it learns."""

    steps: int = 6000
    batch: int = 32
    fresh: int = 12
    """New utterances a step; others are met again."""
    pool: int = 2000
    rate: float = 3e-3
    warm: int = 200
    whole: int = 60
    """Last steps, with whole windows."""
    seed: int = 1


class Learner:
    """Network, optimiser, the pool of examples, and where it is."""

    def __init__(self, plan: Plan, spoken: list[Voice], vocabulary: Vocabulary) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self._spoken, self._known = spoken, vocabulary
        self._composer, self._examples = Composer(spoken, plan.seed), Examples(vocabulary, plan.seed)
        self.network = Network(vocabulary.size)
        first = vocabulary.time(0.0)
        with torch.no_grad():
            # A time token looks like the position of the encoder that it names: pointing there is half of saying it.
            self.network.embedding[first : first + TIMES] = 0.2 * sinusoids(TIMES, self.network.width)
        self.teller = torch.nn.Linear(self.network.width, 40)
        """Says of each position of the encoder which word is there; only while it learns."""
        parameters = [*self.network.parameters(), *self.teller.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, plan.rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        )
        self.step = 0
        self.cpu_s = 0.0
        self._pool: list[Example] = []
        self._rng = np.random.default_rng(plan.seed)

    def learn(self) -> dict[str, float]:
        """One step; the losses."""
        began_s = time.process_time()
        plan, part = self.plan, self.step / self.plan.steps
        warm = min(1.0, (self.step + 1) / plan.warm)
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
        whole = self.step >= plan.steps - plan.whole
        batch = self._examples.batch(self._pick(part, plan.batch // (4 if whole else 1)), whole=whole)
        losses = self._losses(batch)
        total = losses["tokens"] + 0.5 * losses["places"] + 0.5 * (1 - part) * losses["words"]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        self.cpu_s += time.process_time() - began_s
        return {name: loss.item() for name, loss in losses.items()}

    def _pick(self, part: float, count: int) -> list[Example]:
        """Examples of about the same length: short ones at first."""
        mix = Mix(words=(1, 3), late=0.0, trailing=0.0, long_pause=0.0, cut=0.0) if part < 0.1 else Mix()
        for _ in range(self.plan.fresh if self._pool else 200):
            long = part > 0.5 and self._rng.random() < 0.1
            spoken = self._composer.next(replace(mix, words=(6, 14), late=0.3, long_pause=0.3) if long else mix)
            example = self._examples.example(spoken, prompted=0.2 if part > 0.3 else 0.0)
            if len(example.labels) <= POSITIONS:
                self._pool.append(example)
        del self._pool[: max(0, len(self._pool) - self.plan.pool)]
        chosen = self._rng.choice(len(self._pool), min(4 * count, len(self._pool)), replace=False)
        ordered = sorted(chosen, key=lambda index: len(self._pool[index].labels))
        first = self._rng.integers(len(ordered) - count + 1)
        return [self._pool[index] for index in ordered[first : first + count]]

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        source, _, bias = self.network.encode(batch.mels, batch.used)
        count = batch.labels.shape[1]
        words = F.cross_entropy(self.teller(source[:, :count]).flatten(0, 1), batch.labels.flatten())
        # Two rows, with and without times, are written from the same sound.
        logits, weights = self.network.decode(batch.tokens, source.repeat_interleave(2, 0), bias)
        known = batch.targets != IGNORED
        tokens = self._blurred(logits[known], batch.targets[known])
        first, last = batch.places.unbind(-1)
        placed = last > first
        index = torch.arange(weights[-1].shape[-1])
        inside = (index >= first[placed][:, None]) & (index < last[placed][:, None])
        guided = weights[-1][:, :GUIDED].transpose(1, 2)[placed]  # (placed, heads, positions)
        places = -(guided * inside[:, None]).sum(-1) / inside.sum(-1)[:, None]
        spread = inside.sum(-1).log()[:, None]
        return {"tokens": tokens, "places": (places - spread).mean(), "words": words}

    def _blurred(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy; of times the neighbours are nearly as good, less so towards the end."""
        logs = logits.log_softmax(-1)
        first = self._known.time(0.0)
        timed = targets >= first
        blur = min(1.0, 2 * (1 - self.step / self.plan.steps))
        loss = -logs[~timed].gather(1, targets[~timed][:, None]).sum()
        for offset in (-2, -1, 0, 1, 2):
            near = (targets[timed] + offset).clamp(first, first + TIMES - 1)
            share = blur * BLUR[abs(offset)] + (1 - blur) * (offset == 0)
            loss = loss - share * logs[timed].gather(1, near[:, None]).sum()
        return loss / len(targets)

    def save(self, path: Path) -> None:
        """Everything but the pool."""
        state = {
            "network": self.network.state_dict(),
            "teller": self.teller.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
            "step": self.step,
            "cpu_s": self.cpu_s,
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def resume(self, path: Path) -> None:
        """From such a file; other utterances than before come next."""
        state = torch.load(path, weights_only=True)
        for name in ("network", "teller", "optimiser", "average"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.cpu_s = state["step"], state["cpu_s"]
        seed = self.plan.seed + self.step
        self._composer, self._examples = Composer(self._spoken, seed), Examples(self._known, seed)
        self._rng = np.random.default_rng(seed)

    def averaged(self) -> Network:
        """What was learnt: the mean over the last steps, which hears better than the last of them."""
        network: Network = self.average.module
        return network.eval()


def main() -> None:
    """Train, or go on training; then write and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/train_words"), help="checkpoints and voices")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "model", help="where the model is written")
    parser.add_argument("--steps", type=int, default=Plan().steps)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    tokenizer, checkpoint, bank = (args.work / name for name in ("tokenizer.json", "checkpoint.pt", "voices.pickle"))
    write_tokenizer(tokenizer, (*ENGLISH, *GERMAN))
    if not bank.exists():
        bank.write_bytes(pickle.dumps(voices()))
    spoken = pickle.loads(bank.read_bytes())
    learner = Learner(Plan(args.steps), spoken, Vocabulary(tokenizer))
    if checkpoint.exists():
        learner.resume(checkpoint)
    train(learner, checkpoint)
    network = learner.averaged()
    composer = Composer(spoken, seed=HELD_OUT)
    held_out = [composer.next(Mix()) for _ in range(200)]
    with tempfile.TemporaryDirectory() as folder:
        heads = aligned_heads(network, tokenizer, Path(folder), held_out[:60])
    print(f"{learner.cpu_s:.0f} s of processor time; heads by how well they align: {heads}")
    write(network, tokenizer, args.into, heads[:GUIDED])
    print(f"one by one: {hear(args.into, held_out)}")
    print(f"four at once: {hear(args.into, held_out, together=True)}")


def train(learner: Learner, checkpoint: Path) -> None:
    """To the end of the plan, with a line each 50 steps and a checkpoint each 200."""
    mean: dict[str, float] = {}
    while learner.step < learner.plan.steps:
        for name, loss in learner.learn().items():
            mean[name] = 0.98 * mean.get(name, loss) + 0.02 * loss
        if learner.step % 50 == 0:
            told = " ".join(f"{name} {loss:.3f}" for name, loss in mean.items())
            print(f"{learner.step} {learner.cpu_s:.0f} s: {told}", flush=True)
        if learner.step % 200 == 0 or learner.step == learner.plan.steps:
            learner.save(checkpoint)


if __name__ == "__main__":
    main()
