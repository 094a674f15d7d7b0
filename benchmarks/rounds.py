"""Times several ways to do the same thing in turn, round after round.

What slows the machine down for a while then slows all of them down alike, and the median
drops it: figures of one point may be compared, figures of two points less so.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

FEWEST, MOST = 3, 5
_TURN_S = 0.05
_PAUSE_S = 0.01


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of a round each, the quartiles, and how many rounds."""

    median_s: float
    low_s: float
    high_s: float
    rounds: int


def in_turn(
    calls: Mapping[str, Callable[[], object]], budget_s: float, progress: Callable[[str], None]
) -> dict[str, Timing]:
    """Time the calls: 5 rounds, or fewer, at least 3, once `budget_s` is used up.

    Each was called before: a first call allocates, or compiles. `progress` is told every turn.
    """
    end = time.perf_counter() + budget_s
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(MOST):
        if round_ >= FEWEST and time.perf_counter() > end:
            break
        for name, call in calls.items():
            progress(f"  round {round_ + 1} of {FEWEST} to {MOST}: {name}")
            taken[name].append(_turn(call))
    return {name: _timing(seconds) for name, seconds in taken.items()}


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


def _timing(seconds: list[float]) -> Timing:
    low, middle, high = quantiles(seconds, n=4, method="inclusive")
    return Timing(middle, low, high, len(seconds))
