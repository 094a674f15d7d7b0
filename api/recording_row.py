"""The row of a whole recording, or of a live stream: what its segments come to."""

from collections.abc import Collection, Mapping
from uuid import UUID

from api.models import Branch
from api.rows import Part, Row, to_row
from api.schemas import Answer, Degraded, ModelInfo, SubResult
from api.trial import Track

_LEFT = Degraded(
    modality="audio", code="incomplete", reason="the client left before the end was analysed"
)


def recording_row(
    identity: UUID,
    overall: SubResult,
    models: Mapping[Branch, ModelInfo],
    *,
    end_s: float,
    latency_ms: float,
    text_weight: float,
    request_id: str | None,
    tracks: Collection[Track],
    complete: bool = True,
) -> Row:
    """Return the row; `end_s` is where the recording ends, or where its answers do.

    It is a canary's where one answered some of it.
    """
    answer = Answer(
        id=identity,
        modality="timeline",
        **overall.model_dump(),
        latency_ms=latency_ms,
        models=dict(models),
        track="canary" if "canary" in tracks else "current",
        degraded=None if complete else _LEFT,
        warnings=[],
    )
    weight = text_weight if "text" in models else 0.0
    weights: dict[Branch, float] = {"text": weight, "audio": round(1 - weight, 12)}
    part = Part(start_s=0.0, end_s=end_s)
    return to_row(answer, weights, None, request_id, part)
