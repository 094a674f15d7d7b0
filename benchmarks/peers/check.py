"""Does a server answer rightly? One that does not is not timed."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from benchmarks.http_requests import Request
from benchmarks.peers.errors import PeerError

TOLERANCE = 1e-3
"""By how much a score of a peer, all of which compute in fp32, may differ from PyTorch's."""
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Expected:
    """A request and the scores that are right, by upper-case name."""

    request: Request
    scores: dict[str, float]


def require_right(url: str, expected: Sequence[Expected], tolerance: float) -> float:
    """Return the largest difference of a score, asking one request at a time.

    Raises:
        PeerError: a score differs by more than `tolerance`, or there is none.
    """
    largest = max(_difference(url, one) for one in expected)
    if largest > tolerance:
        raise PeerError(
            f"its scores are off by up to {largest:.2g}, more than {tolerance:g}; "
            "does it serve the same checkpoints?"
        )
    return largest


def _difference(url: str, expected: Expected) -> float:
    scores = _ask(url, expected.request)
    if set(scores) != set(expected.scores):
        raise PeerError(f"it scores {', '.join(scores)}, not {', '.join(expected.scores)}")
    return max(abs(scores[name] - right) for name, right in expected.scores.items())


def _ask(url: str, request: Request) -> dict[str, float]:
    headers = {"content-type": request.content_type}
    try:
        response = httpx.post(
            f"{url}{request.path}",
            content=request.body,
            headers=headers,
            timeout=_TIMEOUT_S,
            trust_env=False,
        )
        response.raise_for_status()
        scores: dict[str, float] = response.json()["all_scores"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise PeerError(f"it does not answer {request.path} with scores: {error}") from None
    return scores
