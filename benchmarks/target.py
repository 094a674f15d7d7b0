"""One thing to reach, whether it was, and how such things are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.tables import markdown

Bound = Literal["at least", "at most"]


@dataclass(frozen=True)
class Target:
    """One thing to reach: a ratio, or gigabytes."""

    name: str
    what: str
    """How it is measured."""
    bound: Bound
    wanted: float
    measured: float | None
    """None: not measured."""
    limit: float | None = None
    """The best that this machine's hardware allows, where that can be computed."""
    unit: str = "×"

    @property
    def reached(self) -> bool | None:
        """Return whether it is reached, None if it was not measured."""
        if self.measured is None:
            return None
        return _keeps(self.measured, self.bound, self.wanted)

    @property
    def possible(self) -> bool | None:
        """Return whether the hardware allows it, None if not known."""
        if self.limit is None or self.disproved:
            return None
        return _keeps(self.limit, self.bound, self.wanted)

    @property
    def disproved(self) -> bool:
        """Return whether more was measured than the limit: peaks were taken on a busy machine."""
        if self.limit is None or self.measured is None:
            return False
        return self.measured != self.limit and _keeps(self.measured, self.bound, self.limit)


def _keeps(value: float, bound: Bound, wanted: float) -> bool:
    return value >= wanted if bound == "at least" else value <= wanted


def table(found: Sequence[Target]) -> str:
    """Return the targets as a Markdown table."""
    columns = ("target", "of", "wanted", "measured", "reached", "machine's limit")
    return markdown(columns, [_cells(target) for target in found], words=2)


def _cells(target: Target) -> tuple[str, ...]:
    sign = "≥" if target.bound == "at least" else "≤"
    limit = "" if target.limit is None else f"{target.limit:.2f} {target.unit}"
    if target.disproved:
        limit += ", measured too low: was the machine busy?"
    return (
        target.name,
        target.what,
        f"{sign} {target.wanted:g} {target.unit}",
        "not measured" if target.measured is None else f"{target.measured:.2f} {target.unit}",
        {None: "", True: "yes", False: "no"}[target.reached],
        f"{limit}, below the target" if target.possible is False else limit,
    )
