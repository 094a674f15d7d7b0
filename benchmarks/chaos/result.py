"""What one fault did: what clients saw, what the log says, and which promise was not kept."""

from dataclasses import asdict, dataclass
from typing import Any

RECOVERY_LIMIT_S = 90.0
"""How long the service may take to be whole again once a fault is over."""


@dataclass(frozen=True)
class Result:
    """What one fault did."""

    fault: str
    what: str
    sent: int
    answered: int
    degraded: int
    """Answered in part: from one half, or a batch or timeline of which a part failed."""
    refused: dict[str, int]
    """Status and code of what was not answered, how often; 200 is a batch without an answer."""
    unclean: int
    """Refusals other than 429, 503 and 504 with `Retry-After` and the one JSON shape."""
    broken: int
    """Connections that ended without an answer."""
    late: int
    """No answer within the client's limit."""
    lost: int
    """Predictions that were answered, but are not in the log."""
    duplicated: int
    wrong: int
    """In the log with another emotion than in the answer."""
    gap_s: float
    """The time without service: the longest without an answer, from the fault on."""
    worst_wait_s: float
    """The longest that any client waited, for an answer or a refusal."""
    recovered_s: float | None
    """From the fault's end to the last request that was not answered; None if it stayed broken."""
    may_break: bool
    """Whether clients may see broken connections."""

    def broken_promises(self) -> list[str]:
        """Return in words what was promised and not kept, best empty."""
        forbidden = {
            "predictions are not in the log": self.lost,
            "predictions are in the log more than once": self.duplicated,
            "rows differ from their answers": self.wrong,
            "refusals were not clean": self.unclean,
            "clients waited longer than their limit": self.late,
            "connections broke": 0 if self.may_break else self.broken,
        }
        broken = [f"{count} {what}" for what, count in forbidden.items() if count]
        if self.recovered_s is None:
            broken.append(f"it had not recovered after {RECOVERY_LIMIT_S:g} s")
        if not self.answered:
            broken.append("nothing was answered")
        return broken

    def as_json(self) -> dict[str, Any]:
        """Return all of it for a file."""
        return asdict(self) | {"broken_promises": self.broken_promises()}
