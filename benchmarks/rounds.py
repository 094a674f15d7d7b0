"""Times several ways to do the same thing in turn, round after round.

What slows the machine down for a while then slows all of them down alike: figures of one point
may be compared, figures of two points less so. Some of the rounds are minutes later than the others
(`benchmarks.measuring`), so that the median drops what lasts for longer than a few of them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

TURNS = 3
"""How often a point is come to, minutes apart."""
_MOST = 2
_TURN_S = 0.05
_PAUSE_S = 0.01


@dataclass(frozen=True)
class Timing:
    """How long a call takes."""

    rounds_s: tuple[float, ...]
    """The median of each round, in the order they were made."""

    @property
    def median_s(self) -> float:
        """The median of the rounds."""
        return median(self.rounds_s)

    @property
    def low_s(self) -> float:
        """The lower quartile."""
        return float(np.percentile(self.rounds_s, 25))

    @property
    def high_s(self) -> float:
        """The upper quartile."""
        return float(np.percentile(self.rounds_s, 75))

    def __add__(self, later: "Timing") -> "Timing":
        """Return both's rounds."""
        return Timing(self.rounds_s + later.rounds_s)


def in_turn(
    calls: Mapping[str, Callable[[], object]], budget_s: float, progress: Callable[[str], None]
) -> dict[str, Timing]:
    """Time the calls: 2 rounds, or one if that uses up `budget_s`.

    Each was called before: a first call allocates, or compiles. `progress` is told every turn.
    """
    end = time.perf_counter() + budget_s
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(_MOST):
        if round_ and time.perf_counter() > end:
            break
        for name, call in calls.items():
            progress(f"  round {round_ + 1} of at most {_MOST}: {name}")
            taken[name].append(_turn(call))
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def _turn(call: Callable[[], object]) -> float:
    """Return the median seconds of a call: of one long call, or of as many as fit into 50 ms.

    The pause lets the threads of whoever ran before come to rest.
    """
    time.sleep(_PAUSE_S)
    taken: list[float] = []
    end = time.perf_counter() + _TURN_S
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)
