"""What a comparison of servers found."""

from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.http_load import LoadResult

CLASSIC = "classic"
"""Half of what this one carries is the rate at which latencies are compared."""


@dataclass(frozen=True)
class Figures:
    """One round of one server."""

    difference: float
    """Of a score to PyTorch's, at most."""
    closed: LoadResult
    rate_per_s: float | None
    open: LoadResult | None
    """None where no rate is known."""
    resident_mb: float | None
    """PSS of all its processes after the load; None where they are not ours."""


@dataclass(frozen=True)
class Compared:
    """All rounds of one server."""

    name: str
    rounds: tuple[Figures, ...]
    failed: str | None
    """Why it was not measured (further)."""

    def per_second(self) -> float:
        """Return the median throughput of the closed loop."""
        return median(one.closed.per_second for one in self.rounds)

    def spread(self) -> float:
        """Return the fastest round less the slowest, by their mean."""
        rates = [one.closed.per_second for one in self.rounds]
        return (max(rates) - min(rates)) / fmean(rates)

    def p99_ms(self) -> float | None:
        """Return the median p99 of the open loop."""
        found = [one.open.p99_ms for one in self.rounds if one.open]
        return median(found) if found else None

    def resident_mb(self) -> float | None:
        """Return the median memory after the load."""
        found = [one.resident_mb for one in self.rounds if one.resident_mb is not None]
        return median(found) if found else None
