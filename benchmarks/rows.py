"""Inputs of exact lengths: tokens of ordinary sentences, and cuts of a person reading."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from benchmarks.inputs import read_sentences
from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ
from export.manifest import Branch
from export.real_inputs import RECORDINGS

Row = npt.NDArray[Any]
"""Token ids int64 [tokens], or 16 kHz samples float32 [samples]."""


class Rows:
    """Rows of a branch, always the same ones for a length and a count."""

    def __init__(self, branch: Branch, checkpoint: Path) -> None:
        """Read all that rows are cut from; text takes the checkpoint's tokenizer.json."""
        self._branch = branch
        self._source = _tokens(checkpoint) if branch == "text" else _samples()

    def __call__(self, length: float, count: int) -> list[Row]:
        """Return `count` rows of `length` tokens or seconds each."""
        return [self._cut(self.values(length), number) for number in range(count)]

    def values(self, length: float) -> int:
        """Return how many tokens or samples a row of that length has."""
        return round(length if self._branch == "text" else length * SAMPLE_RATE_HZ)

    def _cut(self, values: int, number: int) -> Row:
        """Return a row from somewhere in the source, which starts over at its end."""
        first, inner = number * len(self._source) // 7, self._source
        if self._branch == "audio":
            return np.resize(np.roll(inner, -first), values)
        return np.concatenate(  # the tokenizer's own first and last token go round a text
            [inner[:1], np.resize(np.roll(inner[1:-1], -first), values - 2), inner[-1:]]
        )


def _tokens(checkpoint: Path) -> Row:
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_truncation()
    return np.array(tokenizer.encode(" ".join(read_sentences())).ids, dtype=np.int64)


def _samples() -> Row:
    return np.concatenate([decode(path.read_bytes()) for path in RECORDINGS])
