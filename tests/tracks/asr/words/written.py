"""The network as a model that CTranslate2 loads: Whisper's layout, int8 weights and float16 for the rest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from torch import Tensor, nn

from tests.tracks.asr.words.network import Attention, Layer, Network
from tests.tracks.asr.words.vocabulary import SPOKEN, Vocabulary


def write(
    network: Network,
    tokenizer: Path,
    folder: Path,
    heads: Sequence[tuple[int, int]],
) -> None:
    """Write the four files of a model into `folder`; `heads`: layers and heads that tell where words are."""
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer.parent != folder:
        shutil.copy(tokenizer, folder)
    vocabulary = Vocabulary(tokenizer)
    layers, count = len(network.encoder), network.encoder[0].attention.heads
    spec = WhisperSpec(layers, count, layers, count)
    for theirs, ours in ((spec.encoder.conv1, network.conv1), (spec.encoder.conv2, network.conv2)):
        _linear(theirs, ours)
    spec.encoder.position_encodings.encodings = _array(network.positions)
    _norm(spec.encoder.layer_norm, network.encoder_norm)
    for theirs, layer in zip(spec.encoder.layer, network.encoder, strict=True):
        _layer(theirs, layer)
    spec.decoder.embeddings.weight = _array(network.embedding)
    spec.decoder.position_encodings.encodings = _array(network.places)
    _norm(spec.decoder.layer_norm, network.decoder_norm)
    for theirs, layer in zip(spec.decoder.layer, network.decoder, strict=True):
        _layer(theirs, layer)
        _norm(theirs.attention.layer_norm, layer.cross_norm)
        cross = layer.cross
        _linear(theirs.attention.linear[0], cross.query)
        _linears(theirs.attention.linear[1], (cross.key, cross.value))
        _linear(theirs.attention.linear[2], cross.out)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary(vocabulary.tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [vocabulary.language(code) for code in SPOKEN]
    spec.config.alignment_heads = [list(each) for each in heads]
    spec.validate()
    spec.optimize(quantization="int8_float16")
    spec.save(str(folder))


def _layer(theirs: Any, layer: Layer) -> None:
    _norm(theirs.self_attention.layer_norm, layer.norm)
    own: Attention = layer.attention
    _linears(theirs.self_attention.linear[0], (own.query, own.key, own.value))
    _linear(theirs.self_attention.linear[1], own.out)
    _norm(theirs.ffn.layer_norm, layer.ffn_norm)
    _linear(theirs.ffn.linear_0, layer.widen)
    _linear(theirs.ffn.linear_1, layer.narrow)


def _norm(theirs: Any, norm: nn.LayerNorm) -> None:
    theirs.gamma, theirs.beta = _array(norm.weight), _array(norm.bias)


def _linear(theirs: Any, ours: nn.Linear | nn.Conv1d) -> None:
    theirs.weight, theirs.bias = _array(ours.weight), _bias(ours)


def _linears(theirs: Any, ours: Sequence[nn.Linear]) -> None:
    """Several as one, as CTranslate2 has what comes of the same input."""
    theirs.weight = np.concatenate([_array(each.weight) for each in ours])
    theirs.bias = np.concatenate([_bias(each) for each in ours])


def _bias(ours: nn.Linear | nn.Conv1d) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.zeros(ours.weight.shape[0], np.float32) if ours.bias is None else _array(ours.bias)


def _array(values: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return values.detach().numpy().astype(np.float32)
