"""Labelled sentences and recordings, whatever corpus they come from."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ensemble.labels import EMOTIONS
from evaluation.errors import EvaluationError


@dataclass(frozen=True)
class Item:
    """A sentence, a recording or both, with the emotion that people heard in it.

    `speaker`, `dialogue` and `split` are the corpus's own names; `group` is whatever scores are
    to be told apart by (sex, accent, site).
    """

    label: str
    text: str | None = None
    audio: Path | None = None
    speaker: str | None = None
    dialogue: str | None = None
    split: str | None = None
    group: str | None = None

    @cached_property
    def key(self) -> str:
        """What stands for the input in stored predictions, which hold neither texts nor names.

        It is of the content, so that data may move, and a file that was replaced is asked again.

        Raises:
            OSError: the recording cannot be read.
        """
        content = hashlib.sha256(f"{self.text or ''}\0".encode())
        if self.audio is not None:
            with self.audio.open("rb") as opened:
                content.update(hashlib.file_digest(opened, "sha256").digest())
        return content.hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """Items, what was made of the corpus's labels, and how many rows were left out, by reason."""

    name: str
    items: list[Item]
    folding: dict[str, str]
    left_out: Counter[str] = field(default_factory=Counter)
    split_note: str = "the data's own"


@dataclass(frozen=True)
class Part:
    """The items that are scored together: `dev`, `test`, or `all` where data has no splits."""

    name: str
    items: list[Item]


def parts(data: Dataset, dev: str, test: str) -> list[Part]:
    """Return the test part, after the dev part if there is one.

    Args:
        data: the items.
        dev: the split that weights and temperatures are chosen on.
        test: the split that they are scored on.

    Raises:
        EvaluationError: the data has splits, but none of these names.
    """
    if not data.items:
        raise EvaluationError(f"{data.name}: there is nothing in it that has one of the labels")
    found = sorted({item.split for item in data.items if item.split})
    if not found:
        return [Part("all", data.items)]
    chosen = {name: [i for i in data.items if i.split == name] for name in (dev, test)}
    if not chosen[test]:
        raise EvaluationError(
            f"{data.name} has no split {test!r}; it has {', '.join(found)}: name one with --test"
        )
    return [Part(name, items) for name, items in chosen.items() if items]


def emotion_index(items: list[Item]) -> list[int]:
    """Return the number of each item's label in EMOTIONS."""
    return [EMOTIONS.index(item.label) for item in items]
