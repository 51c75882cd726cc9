"""A Whisper-shaped CTranslate2 model, made on the spot: real tokenizer, real layers, tiny, random weights."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tracks.asr.languages import LANGUAGES

WIDTH, HEADS, LAYERS, FFN = 16, 2, 1, 32
MELS, FRAMES, LENGTH = 80, 1500, 448
WORDS = [f"Ġ{word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
"""What the model says, as byte-level tokens."""
UNUSED = "<|unused|>"
"""Stands for the empty token that multilingual vocabularies have: CTranslate2 knows them by it."""
SPOKEN = [code for code in LANGUAGES if code != "yue"]
"""What models before large-v3 know."""


def make_whisper(folder: Path, *, multilingual: bool = False, seed: int = 0) -> Path:
    """Write a model into `folder` and return it. What it hears is noise, and always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _write_tokenizer(folder / "tokenizer.json", multilingual)
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
    spec.register_vocabulary(["" if token == UNUSED else token for token in tokens])
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


def _write_tokenizer(path: Path, multilingual: bool) -> list[str]:
    """Write a byte-level tokenizer with Whisper's special tokens; returns all tokens by id."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = sorted({word[: end + 1] for word in WORDS for end in range(1, len(word))}, key=len)
    vocabulary = {token: index for index, token in enumerate([*letters, *pieces])}
    merges = [(piece[:-1], piece[-1]) for piece in pieces]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [*([UNUSED] if multilingual else []), "<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in SPOKEN]
    special += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")]
    special += ["<|notimestamps|>", *(f"<|{index * 0.02:.2f}|>" for index in range(FRAMES + 1))]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(path))
    return [tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())]
