"""The seven emotions, and how a checkpoint's own labels map onto them."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
"""The order of every probability vector in the service (Ekman's six and neutral)."""

_ALIASES = {
    "ang": "anger",
    "angry": "anger",
    "dis": "disgust",
    "disgusted": "disgust",
    "fea": "fear",
    "fearful": "fear",
    "hap": "joy",
    "happy": "joy",
    "happiness": "joy",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
    "surprised": "surprise",
}


class UnknownLabelError(ValueError):
    """A checkpoint's label that stands for none of the seven emotions."""


def canonical(label: str) -> str:
    """Return the emotion that a checkpoint's label stands for (`hap` is joy)."""
    name = label.strip().lower()
    emotion = _ALIASES.get(name, name)
    if emotion not in EMOTIONS:
        raise UnknownLabelError(
            f"label {label!r} is none of {', '.join(EMOTIONS)} nor a known short form of one; "
            "rename it in the checkpoint's config.json (id2label)"
        )
    return emotion


def projection(id2label: Mapping[int, str]) -> npt.NDArray[np.float32]:
    """Return the matrix [labels, 7] that adds a checkpoint's labels up into emotions."""
    if sorted(id2label) != list(range(len(id2label))):
        raise UnknownLabelError(f"id2label must number its labels from 0: {dict(id2label)}")
    matrix = np.zeros((len(id2label), len(EMOTIONS)), dtype=np.float32)
    for index, label in id2label.items():
        matrix[index, EMOTIONS.index(canonical(label))] = 1.0
    return matrix


def coverage(id2label: Mapping[int, str]) -> npt.NDArray[np.float32]:
    """Return [7]: 1 where the checkpoint can predict the emotion at all, else 0."""
    covered: npt.NDArray[np.float32] = projection(id2label).max(axis=0)
    return covered
