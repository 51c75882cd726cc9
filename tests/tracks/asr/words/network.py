"""Whisper's architecture in PyTorch, as CTranslate2 computes it: Radford et al. (2022), section 2.2.

Most of a window of 30 s is empty behind a short utterance. While learning, the positions behind the longest utterance
of a batch are therefore thinned out: one stands for `STRIDE` of them, by as much more weight in every softmax. What is
learnt holds for whole windows, at a fraction of the work.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MELS, POSITIONS, LENGTH = 80, 1500, 448
STRIDE = 16


class Attention(nn.Module):
    """Many heads, over its own input or that of the encoder."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.value, self.out = (nn.Linear(width, width) for _ in range(3))
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
        """`bias`: what is added before the softmax, as broadcast to (batch, heads, of x, of source)."""
        query, key, value = (self._split(each) for each in (self.query(x), self.key(source), self.value(source)))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self._joined(mixed)

    def told(self, x: Tensor, source: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the logarithms of the weights, (batch, heads, of x, of source)."""
        query, key, value = (self._split(each) for each in (self.query(x), self.key(source), self.value(source)))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weights = scores.log_softmax(-1)
        return self._joined(weights.exp() @ value), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _joined(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.out(x.transpose(1, 2).flatten(2))
        return mixed


class Layer(nn.Module):
    """One of the encoder, or of the decoder, which also attends to the encoder."""

    def __init__(self, width: int, heads: int, *, cross: bool) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        if cross:
            self.cross_norm, self.cross = nn.LayerNorm(width), Attention(width, heads)
        self.ffn_norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def itself(self, x: Tensor, bias: Tensor) -> Tensor:
        """With what it attends to in its own input."""
        normed = self.norm(x)
        mixed: Tensor = x + self.attention(normed, normed, bias)
        return mixed

    def further(self, x: Tensor) -> Tensor:
        """With what the feed-forward network adds."""
        added: Tensor = x + self.narrow(F.gelu(self.widen(self.ffn_norm(x))))
        return added


class Network(nn.Module):
    """Encoder and decoder."""

    def __init__(self, tokens: int, width: int = 64, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.width = width
        self.conv1 = nn.Conv1d(MELS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.encoder = nn.ModuleList(Layer(width, heads, cross=False) for _ in range(layers))
        self.encoder_norm = nn.LayerNorm(width)
        self.embedding = nn.Parameter(torch.randn(tokens, width) * 0.1)
        self.places = nn.Parameter(torch.randn(LENGTH, width) * 0.02)
        self.decoder = nn.ModuleList(Layer(width, heads, cross=True) for _ in range(layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.register_buffer("positions", sinusoids(POSITIONS, width))

    def encode(self, mels: Tensor, used: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Mels (batch, 80, frames), with zeros behind the sound, as they are or, thinned out, as if there were 3000.

        `used`: which of the positions behind the frames stand for all of these; None where there are 3000 frames.
        Returns the encoded positions (batch, positions, width), their indices, and the weight of each as a bias.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(mels)))).transpose(1, 2)
        index = torch.arange(x.shape[1])
        bias = torch.zeros(x.shape[1])
        if used is not None:
            # Frames end in zeros long enough for all positions behind them to look like the one before the last.
            x = torch.cat([x[:, :-1], x[:, -2:-1].expand(-1, len(used) + 1, -1)], 1)
            index = torch.cat([index, used])
            bias = torch.cat([bias, torch.full((len(used),), math.log((POSITIONS - len(bias)) / len(used)))])
        x = x + self.positions[index]
        for layer in self.encoder:
            x = layer.further(layer.itself(x, bias[None, :]))
        return self.encoder_norm(x), index, bias

    def decode(self, tokens: Tensor, source: Tensor, bias: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (batch, length, tokens), and each layer's logarithms of the weights of what it attends to."""
        length = tokens.shape[1]
        x = self.embedding[tokens] + self.places[:length]
        causal = torch.full((length, length), -torch.inf).triu(1)
        weights = []
        for layer in self.decoder:
            x = layer.itself(x, causal)
            mixed, told = layer.cross.told(layer.cross_norm(x), source, bias)
            x = layer.further(x + mixed)
            weights.append(told)
        return self.decoder_norm(x) @ self.embedding.T, weights


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's positions: sines, then cosines, of wavelengths from 2 pi to 20,000 pi."""
    rates = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], 1)
