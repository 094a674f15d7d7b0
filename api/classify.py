"""One modality, or both, or what is left of both when one fails."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from api.admission import OverloadedError
from api.errors import ApiError, InputError
from api.models import Asked, Branch, BranchResult, Classifier, FusedResult, Scores
from api.schemas import Degraded
from api.trial import Track

_T = TypeVar("_T")

_FIRST_TRY = 0.6
"""Share of the time for the fused attempt: a branch that hangs leaves time to do without it."""

_ALONE: dict[Branch, dict[Branch, float]] = {
    "text": {"text": 1.0, "audio": 0.0},
    "audio": {"text": 0.0, "audio": 1.0},
}


@dataclass(frozen=True)
class Prediction:
    """The scores that count, how they came about, and what each branch that ran found."""

    scores: Scores
    fusion_weights: Mapping[Branch, float]
    branches: Mapping[Branch, BranchResult]
    degraded: Degraded | None = None
    track: Track = "current"


async def classify(models: Classifier, asked: Asked, timeout_s: float) -> Prediction:
    """Classify what was sent, at least one of text and audio.

    With both, a branch that fails leaves the answer to the other one. If both fail: InputError
    only if both inputs are at fault. Else the fault of ours, 503 or 504, since the same request
    will be answered once that is over.
    """
    if asked.text is not None and asked.audio is not None:
        return await _both(models, asked.text, asked.audio, asked.text_weight, timeout_s)
    if asked.text is not None:
        return _single("text", await models.text(asked.text, timeout_s))
    assert asked.audio is not None  # noqa: S101  the readers of requests see to it
    return _single("audio", await models.audio(asked.audio, timeout_s))


async def classify_whole(models: Classifier, asked: Asked, timeout_s: float) -> Prediction:
    """Classify what was sent, all of it or nothing."""
    if asked.text is None or asked.audio is None:
        return await classify(models, asked, timeout_s)
    text, audio, weight = asked.text, asked.audio, asked.text_weight
    return _fused(await models.multimodal(text, audio, weight, timeout_s), weight)


async def _both(
    models: Classifier, text: bytes, audio: bytes, text_weight: float, timeout_s: float
) -> Prediction:
    deadline_s = time.monotonic() + timeout_s
    fused = await _attempt(models.multimodal(text, audio, text_weight, timeout_s * _FIRST_TRY))
    if isinstance(fused, ApiError):
        left_s = deadline_s - time.monotonic()
        from_text, from_audio = await asyncio.gather(
            _attempt(models.text(text, left_s)), _attempt(models.audio(audio, left_s))
        )
        if isinstance(from_text, ApiError) and isinstance(from_audio, ApiError):
            raise _joined(from_text, from_audio)
        if isinstance(from_text, ApiError):
            assert not isinstance(from_audio, ApiError)  # noqa: S101  for the type checker
            return _single("audio", from_audio, _degraded("text", from_text))
        if isinstance(from_audio, ApiError):
            return _single("text", from_text, _degraded("audio", from_audio))
        # Each works alone: the fused attempt met a fault that has passed, or fusion is down.
        left_s = deadline_s - time.monotonic()
        fused = await models.multimodal(text, audio, text_weight, left_s)
    return _fused(fused, text_weight)


def _fused(fused: FusedResult, text_weight: float) -> Prediction:
    weights: dict[Branch, float] = {"text": text_weight, "audio": round(1.0 - text_weight, 12)}
    return Prediction(fused.scores, weights, fused.branches)


async def _attempt(call: Awaitable[_T]) -> _T | ApiError:
    try:
        return await call
    except OverloadedError:
        raise  # one branch alone would be more load, not less
    except ApiError as error:
        return error


def _single(branch: Branch, result: BranchResult, degraded: Degraded | None = None) -> Prediction:
    return Prediction(result.scores, _ALONE[branch], {branch: result}, degraded)


def _degraded(branch: Branch, error: ApiError) -> Degraded:
    return Degraded(modality=branch, code=error.code, reason=error.detail)


def _joined(text: ApiError, audio: ApiError) -> ApiError:
    first = audio if isinstance(text, InputError) else text
    detail = f"text: {text.detail}; audio: {audio.detail}"
    if isinstance(text, InputError) and isinstance(audio, InputError):
        first = text
    return type(first)(first.code, detail)
