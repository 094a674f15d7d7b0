"""Late fusion: two probability vectors become one.

`weighted` is the contract, p = w·text + (1−w)·audio. `coverage` does not count it as
evidence against an emotion that the audio model has no output for it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ensemble.errors import InputError

STRATEGIES = ("weighted", "coverage")
DEFAULT_TEXT_WEIGHT = 0.55

_Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class Fusion:
    """One strategy, applied to whichever branches a request brings."""

    def __init__(self, strategy: str) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"fusion strategy {strategy!r} is none of {', '.join(STRATEGIES)}")
        self._strategy = strategy

    def __call__(self, inputs: Mapping[str, _Floats]) -> npt.NDArray[np.float32]:
        """Return the fused probabilities [B, 7].

        Args:
            inputs: the fusion step's inputs by name, each [B, 7] and optional;
                `TEXT_WEIGHT` [B, 1] is 0.55 where it is missing. A branch alone is the answer.

        Raises:
            InputError: text_weight_invalid, or nothing_to_fuse.
        """
        text = inputs.get("text_probabilities")
        audio = inputs.get("audio_probabilities")
        if text is None or audio is None:
            return _only(text if audio is None else audio)
        weight = _checked_weight(inputs.get("TEXT_WEIGHT"))
        if self._strategy == "weighted":
            return fuse_weighted(text, audio, weight)
        return fuse_coverage(text, audio, inputs["text_coverage"], inputs["audio_coverage"], weight)


def fuse_weighted(text: _Floats, audio: _Floats, text_weight: _Floats) -> npt.NDArray[np.float32]:
    """Return w·text + (1−w)·audio; probabilities [B, 7], w [B, 1]; summed in float64."""
    fused = text_weight * text + (1.0 - text_weight) * audio
    return fused.astype(np.float32)


def fuse_coverage(
    text: _Floats,
    audio: _Floats,
    text_coverage: _Floats,
    audio_coverage: _Floats,
    text_weight: _Floats,
) -> npt.NDArray[np.float32]:
    """Return each emotion's mean over the models that can express it, summing to 1.

    All are [B, 7] but `text_weight` [B, 1]; a coverage is 1 where the model has the emotion.
    """
    text_share = text_weight * text_coverage
    audio_share = (1.0 - text_weight) * audio_coverage
    share = text_share + audio_share
    summed = text_share * text + audio_share * audio
    mean = np.divide(summed, share, out=np.zeros_like(summed), where=share > 0)
    normalised: npt.NDArray[np.float32] = mean / mean.sum(axis=-1, keepdims=True)
    return normalised.astype(np.float32)


def _only(branch: _Floats | None) -> npt.NDArray[np.float32]:
    if branch is None:
        raise InputError("nothing_to_fuse", "neither text nor audio probabilities were given")
    return branch.astype(np.float32)


def _checked_weight(weight: _Floats | None) -> npt.NDArray[np.float64]:
    """Return the weight [B, 1] in float64, where 0.55 and 1 − 0.55 add up as written."""
    if weight is None:
        return np.full((1, 1), DEFAULT_TEXT_WEIGHT)
    # A float32 0.55 is 0.550000012: its shortest decimal is what the client meant.
    meant = np.array([float(str(value)) for value in weight.ravel()]).reshape(weight.shape)
    if not np.all((meant >= 0) & (meant <= 1)):  # false for NaN too
        raise InputError("text_weight_invalid", "TEXT_WEIGHT must be a number from 0 to 1")
    return meant
