"""A Whisper-shaped CTranslate2 model, made on the spot: real tokenizer, real layers, tiny, random weights."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec

from tests.tracks.asr.words.vocabulary import SPOKEN, Vocabulary, write_tokenizer

WIDTH, HEADS, LAYERS, FFN = 16, 2, 1, 32
MELS, FRAMES, LENGTH = 80, 1500, 448
WORDS = [f"Ġ{word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
"""What the model says, as byte-level tokens."""


def make_whisper(folder: Path, *, multilingual: bool = False, seed: int = 0) -> Path:
    """Write a model into `folder` and return it. What it hears is noise, and always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "tokenizer.json", [word.removeprefix("Ġ") for word in WORDS], multilingual=multilingual)
    tokens = Vocabulary(folder / "tokenizer.json").tokens
    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    random = np.random.default_rng(seed)

    def matrix(*shape: int, scale: float = 0.3) -> np.ndarray[Any, np.dtype[np.float32]]:
        return random.normal(0, scale, shape).astype(np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(layer: Any, rows: int, columns: int) -> None:
        layer.weight, layer.bias = matrix(rows, columns), np.zeros(rows, np.float32)

    def feed_forward(layer: Any) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, FFN, WIDTH)
        linear(layer.linear_1, WIDTH, FFN)

    def attention(layer: Any, *rows: int) -> None:
        norm(layer.layer_norm)
        for each, count in zip(layer.linear, rows, strict=True):
            linear(each, count, WIDTH)

    for convolution, channels in ((spec.encoder.conv1, MELS), (spec.encoder.conv2, WIDTH)):
        convolution.weight, convolution.bias = matrix(WIDTH, channels, 3), np.zeros(WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = matrix(FRAMES, WIDTH)
    norm(spec.encoder.layer_norm)
    for layer in spec.encoder.layer:
        attention(layer.self_attention, 3 * WIDTH, WIDTH)
        feed_forward(layer.ffn)
    towards = matrix(WIDTH, scale=1.0)
    embeddings = matrix(len(tokens), WIDTH, scale=0.25)
    for index, token in enumerate(tokens):
        embeddings[index] += _liking(token) * towards / np.square(towards).sum()
    spec.decoder.embeddings.weight = embeddings
    spec.decoder.position_encodings.encodings = matrix(LENGTH, WIDTH)
    norm(spec.decoder.layer_norm)
    spec.decoder.layer_norm.beta = towards
    for layer in spec.decoder.layer:
        attention(layer.self_attention, 3 * WIDTH, WIDTH)
        attention(layer.attention, WIDTH, 2 * WIDTH, WIDTH)
        feed_forward(layer.ffn)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in SPOKEN]
    spec.config.alignment_heads = list(itertools.product(range(LAYERS), range(HEADS)))
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(folder))
    return folder


def _liking(token: str) -> float:
    """How much the model is drawn to a token: to words, now and then to the end, not to times in between."""
    if token in WORDS:
        return 5.0
    if token == "<|endoftext|>":
        return 4.0
    return -4.0 if token.startswith("<|") and token[2].isdigit() else 0.0
