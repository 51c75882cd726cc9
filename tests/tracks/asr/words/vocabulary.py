"""What the trained model knows: its words, and a tokenizer with Whisper's special tokens for those or others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tracks.asr.languages import LANGUAGES

ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "sev|en", "eight", "nine", "ten"),
    *("red", "green", "blue", "yel|low", "black", "door", "win|dow", "camera", "light"),
    *("open", "close", "start", "stop"),
)
"""A bar divides a word that is two tokens."""
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieb|en", "acht", "neun", "zehn", "tür")
WORDS = {"en": ENGLISH, "de": GERMAN}
UNUSED = "<|unused|>"
"""Stands for the empty token that multilingual vocabularies have: CTranslate2 knows them by it."""
SPOKEN = tuple(code for code in LANGUAGES if code != "yue")
"""What models before large-v3 have a token for."""
TIMES = 1501
"""Time tokens: 0 to 30 s, each 0.02 s."""


def plain(word: str) -> str:
    """The word as it is written."""
    return word.replace("|", "")


def write_tokenizer(path: Path, words: Sequence[str], *, multilingual: bool = True) -> None:
    """Write a byte-level `tokenizer.json`: the words' pieces are a token each, everything else is spelt in bytes."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    chains: list[str] = []
    # Ranks decide which merge comes first: all that begin words come before those that end them.
    for part in (0, 1):
        for word in words:
            parts = f" {word}".split("|")
            if part < len(parts):
                [(piece, _)] = splitter.pre_tokenize_str(parts[part])
                chains += [piece[:end] for end in range(2, len(piece) + 1)]
    pieces = list(dict.fromkeys(chains))
    vocabulary = {token: index for index, token in enumerate([*letters, *pieces])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[(piece[:-1], piece[-1]) for piece in pieces]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [*([UNUSED] if multilingual else []), "<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in SPOKEN]
    special += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")]
    special += ["<|notimestamps|>", *(f"<|{index * 0.02:.2f}|>" for index in range(TIMES))]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(path), pretty=False)


class Vocabulary:
    """Token ids of a written tokenizer."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self.size: int = self._tokenizer.get_vocab_size()
        self.end = self.id("<|endoftext|>")
        self.start = self.id("<|startoftranscript|>")
        self.transcribe = self.id("<|transcribe|>")
        self.previous = self.id("<|startofprev|>")
        self.no_speech = self.id("<|nospeech|>")
        self.no_times = self.id("<|notimestamps|>")
        self._pieces: dict[str, list[int]] = {}

    def id(self, token: str) -> int:
        """Of one token, which there must be."""
        return int(self._tokenizer.token_to_id(token))

    def language(self, code: str) -> int:
        """Of the language's token."""
        return self.id(f"<|{code}|>")

    def time(self, at_s: float) -> int:
        """Of the token for that time in the window."""
        return self.no_times + 1 + min(max(round(at_s / 0.02), 0), TIMES - 1)

    def pieces(self, word: str) -> list[int]:
        """Of a word as it is written, with the blank before it."""
        if word not in self._pieces:
            self._pieces[word] = self._tokenizer.encode(f" {word}", add_special_tokens=False).ids
        return self._pieces[word]

    @property
    def tokens(self) -> list[str]:
        """All, by id, as CTranslate2 wants them."""
        tokens = [self._tokenizer.id_to_token(index) for index in range(self.size)]
        return ["" if token == UNUSED else token for token in tokens]
