"""Says where a run is: which stage, about how long all of it still takes, and what is done now."""

import sys
import time
from collections.abc import Mapping


class StageProgress:
    """Callable as a `Progress`; every line goes to stderr."""

    def __init__(self, minutes: Mapping[str, float]) -> None:
        """Take the stages that will run, in order, with about how long each takes."""
        self._minutes = dict(minutes)
        self._stage: str | None = None
        self._begin_s = time.monotonic()

    def begin(self, stage: str) -> None:
        """Go on to a stage."""
        self._stage = stage
        self._begin_s = time.monotonic()

    def __call__(self, line: str) -> None:
        """Print a line with where the run is."""
        print(f"[{self.where()}] {line}", file=sys.stderr, flush=True)

    def where(self) -> str:
        """Return the stage's number and name, and about how long is left."""
        if self._stage is None:
            return "preparing"
        number = list(self._minutes).index(self._stage) + 1
        left = f"about {self.minutes_left():.0f} min left"
        return f"stage {number}/{len(self._minutes)} {self._stage}, {left}"

    def minutes_left(self) -> float:
        """Return the planned minutes of what is to come, this stage's less those it has run."""
        if self._stage is None:
            return sum(self._minutes.values())
        names = list(self._minutes)
        later = names[names.index(self._stage) + 1 :]
        run = (time.monotonic() - self._begin_s) / 60
        return max(self._minutes[self._stage] - run, 0.0) + sum(self._minutes[n] for n in later)
