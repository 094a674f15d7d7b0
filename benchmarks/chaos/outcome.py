"""What a client saw of one request, and what must be in the log because of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_OK = 200
_AGAIN = (429, 503, 504)
_PASSING = {
    "overloaded",
    "model_unavailable",
    "model_failed",
    "timeout",
    "log_unavailable",
    "disk_full",
}
"""Codes of what is worth another try, where one answer has many parts."""


@dataclass(frozen=True)
class Outcome:
    """What a client saw of one request; times are those of `time.monotonic`."""

    sent: float
    done: float
    status: int | None
    """None where no answer came."""
    what: str = ""
    """An error's code, or what was wrong with its answer, or the exception."""
    rows: Mapping[str, str] = field(default_factory=dict)
    """The id and the top emotion of every prediction in the answer."""
    degraded: bool = False
    """Whether it was answered in part: from one half, or not for every part of a batch."""
    clean: bool = True
    """Whether a refusal had the one shape, and is one that says when to try again."""

    @property
    def answered(self) -> bool:
        """Whether the client has a prediction, which must be in the log then."""
        return bool(self.rows)


def outcome_of(
    sent: float, done: float, status: int, headers: Mapping[str, str], body: bytes
) -> Outcome:
    """Return the outcome of a request that got an answer; headers by lower-case name."""
    answer = _parsed(body)
    if status == _OK:
        return _answered(sent, done, answer)
    # The requests are good: all but "try again" is a fault, also if it is put well.
    clean = set(answer) == {"detail", "code"} and bool(answer["detail"])
    clean = clean and status in _AGAIN and headers.get("retry-after", "").isdigit()
    return Outcome(sent, done, status, str(answer.get("code", "no code")), clean=clean)


def _answered(sent: float, done: float, answer: dict[str, Any]) -> Outcome:
    parts = _parts(answer)
    predictions = [part for part in parts if {"id", "top_emotion"} <= set(part)]
    codes = [str(part.get("code", "no code")) for part in parts if part not in predictions]
    return Outcome(
        sent,
        done,
        _OK,
        codes[0] if codes else "",
        rows={part["id"]: part["top_emotion"] for part in predictions},
        degraded=bool(codes) or any(part.get("degraded") for part in predictions),
        clean=set(codes) <= _PASSING,
    )


def _parts(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all predictions and errors of a batch's, a timeline's or a single answer."""
    if "results" in answer:
        return list(answer["results"])
    if "segments" in answer:
        segments = [one["result"] or one["error"] for one in answer["segments"]]
        return [answer | answer["overall"], *segments]
    return [answer]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
