"""A prediction as the answer that a client gets."""

from collections.abc import Mapping
from uuid import uuid4

from api.classify import Prediction
from api.models import Branch, BranchResult, Scores
from api.schemas import Answer, MultimodalAnswer, SubResult


def single(
    branch: Branch, prediction: Prediction, latency_ms: float, uncertain_below: float
) -> Answer:
    """Return the answer of /analyze/text or /analyze/audio."""
    return Answer(
        id=uuid4(),
        modality=branch,
        **_ranked(prediction.scores).model_dump(),
        uncertain=_is_uncertain(prediction.scores, uncertain_below),
        latency_ms=latency_ms,
        models={name: result.model for name, result in prediction.branches.items()},
        track=prediction.track,
        degraded=None,
        warnings=_warnings(prediction.branches),
    )


def multimodal(
    prediction: Prediction, latency_ms: float, uncertain_below: float
) -> MultimodalAnswer:
    """Return the answer of /analyze/multimodal, whichever branches ran."""
    branches = prediction.branches
    alone: Branch = "text" if "text" in branches else "audio"
    return MultimodalAnswer(
        id=uuid4(),
        modality="multimodal_fused" if len(branches) > 1 else f"{alone}_only",
        **_ranked(prediction.scores).model_dump(),
        uncertain=_is_uncertain(prediction.scores, uncertain_below),
        latency_ms=latency_ms,
        models={name: result.model for name, result in branches.items()},
        track=prediction.track,
        degraded=prediction.degraded,
        warnings=_warnings(branches),
        fusion_weights=dict(prediction.fusion_weights),
        sub_results={name: _ranked(result.scores) for name, result in branches.items()},
    )


def _ranked(scores: Scores) -> SubResult:
    """Return the scores by upper-case name, the likeliest first."""
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    top, confidence = ranked[0]
    return SubResult(
        top_emotion=top.upper(),
        confidence=confidence,
        all_scores={emotion.upper(): score for emotion, score in ranked},
    )


def _is_uncertain(scores: Scores, below: float) -> bool | None:
    """Return whether no score reaches `below`, None where no verdict is asked for."""
    return max(scores.values()) < below if below else None


def _warnings(branches: Mapping[Branch, BranchResult]) -> list[str]:
    return [
        f"the {name} is longer than the model reads: its last {result.truncated_tokens} tokens "
        "were not used"
        for name, result in branches.items()
        if result.truncated_tokens
    ]
