"""A prediction as a row of the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.models import Branch
from api.schemas import Answer


@dataclass(frozen=True)
class Part:
    """Where in a long recording it was, None for what is of none."""

    recording_id: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    speaker: str | None = None


NO_PART = Part()

Row = dict[str, Any]
"""By column of `emotion_logs`, each value as JSON holds it."""

_NUL_STAND_IN = "\u2400"


def to_row(
    answer: Answer,
    fusion_weights: Mapping[Branch, float],
    input_text: str | None,
    request_id: str | None,
    part: Part = NO_PART,
) -> Row:
    """Return an answer's row.

    `created_at` is set here: with `id` it is the key, so a row that is sent twice is one row.
    """
    plain = answer.model_dump(mode="json")
    copied = ("id", "modality", "top_emotion", "confidence", "all_scores", "latency_ms")
    return {name: plain[name] for name in (*copied, "degraded", "models")} | {
        "created_at": datetime.now(UTC).isoformat(),
        "fusion_weights": dict(fusion_weights),
        "input_text": _storable(input_text),
        "request_id": request_id,
        "track": answer.track,
        "shadow_of": None,
        **vars(part),
        "speaker": _storable(part.speaker),
    }


def shadow_row(answer: Answer, given: Row) -> Row:
    """Return the row of a shadow's answer; its input is told by the row of the one given."""
    row = to_row(answer, given["fusion_weights"], None, given["request_id"])
    return row | {"modality": given["modality"], "track": "shadow", "shadow_of": given["id"]}


def _storable(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", _NUL_STAND_IN)
