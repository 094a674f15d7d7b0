"""All variants of one branch, loaded, checked against PyTorch, and timed point by point."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from transformers import AutoConfig

from benchmarks import floors, variants
from benchmarks.operations import work
from benchmarks.points import COMPILED, Device, Measured, Point
from benchmarks.rounds import TURNS, in_turn
from benchmarks.rows import Row, Rows
from benchmarks.sources import Models
from benchmarks.variants import Probabilities, Variant
from export.manifest import Branch
from export.progress import Progress

_CHECKED: dict[Branch, tuple[float, ...]] = {"text": (9, 24), "audio": (1, 1.7)}
_EVERY_S = 2.0
_ONLY_ALONE = "batches are compiled anew, for a minute; --thorough includes them"


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    threads: int
    """For every variant."""
    budget_s: float = 8.0
    """For the counted rounds of a point; one in each turn is made whatever it takes."""
    compile_batches: bool = False
    """Have torch.compile take part in batches, for which it compiles anew."""
    trial_s: float = floors.TRIAL_S
    """For each trial of what the machine can do at most."""
    device: Device = "cpu"


class Contest:
    """The variants of one checkpoint on this machine."""

    def __init__(self, models: Models, plan: Plan, say: Progress) -> None:
        """Load the variants, compare their answers and measure what the machine can do."""
        checkpoint = models.checkpoint
        self._plan = plan
        self._say = say
        say(f"{checkpoint.branch}: loading the variants; torch.compile may take a minute ...")
        self._config: Any = AutoConfig.from_pretrained(checkpoint.folder)
        self._rows = Rows(checkpoint.branch, checkpoint.folder)
        self._not_run: dict[str, str] = {}
        self._calls: dict[Point, dict[str, Callable[[], Probabilities]]] = {}
        self._variants = variants.make(models, plan.threads, plan.device)
        self._differences = self._compare(_CHECKED[checkpoint.branch])
        say("measuring what the machine can do at most ...")
        self._peaks = floors.measure(plan.threads, plan.trial_s, plan.device)

    def measure(self, point: Point) -> Measured:
        """Time all variants at a point, one after another: one of its turns."""
        alone = point.rows == 1 or self._plan.compile_batches
        not_run = {} if alone else {COMPILED: _ONLY_ALONE}
        if point not in self._calls:
            self._calls[point] = self._running(point, not_run)
        budget_s, progress = self._plan.budget_s / TURNS, _at_most_every(_EVERY_S, self._say)
        values = self._rows.values(point.length)
        done = work(point.branch, self._config, values, point.rows)
        return Measured(
            point=point,
            timings=in_turn(self._calls[point], budget_s, progress),
            precisions={one.name: one.precision for one in self._variants},
            differences=self._differences,
            not_run=not_run | self._not_run,
            operations=done.operations,
            floors_s=floors.floors_s(done, self._peaks),
        )

    def _running(
        self, point: Point, not_run: Mapping[str, str]
    ) -> dict[str, Callable[[], Probabilities]]:
        """Return the calls to time, each made once."""
        rows = self._rows(point.length, point.rows)
        return {
            one.name: partial(one.run, rows)
            for one in self._variants
            if one.name not in not_run and self._answer(one, rows) is not None
        }

    def _compare(self, lengths: tuple[float, ...]) -> dict[str, float]:
        """Return by how much each variant's answers differ, alone and two in a batch."""
        batches = [self._rows(length, count) for length in lengths for count in (1, 2)]
        right = [self._variants[0].run(batch) for batch in batches]
        differences: dict[str, float] = {}
        for one in self._variants:
            # A batch would have the compiler go through everything once more.
            count = 1 if one.name == COMPILED else 2
            pairs = zip(batches, right, strict=True)
            answers = [(self._answer(one, rows), to) for rows, to in pairs if len(rows) <= count]
            far = [float(np.abs(answer - to).max()) for answer, to in answers if answer is not None]
            differences |= {one.name: max(far)} if one.name not in self._not_run else {}
        return differences

    def _answer(self, variant: Variant, rows: list[Row]) -> Probabilities | None:
        """Return a first answer at a shape, for which some allocate or compile; None if it fails.

        Only the compiled variant may fail: it needs a C++ compiler that can build it.
        """
        if variant.name in self._not_run:
            return None
        try:
            return variant.run(rows)
        except RuntimeError as error:
            if variant.name != COMPILED:
                raise
            self._not_run[variant.name] = f"it does not compile: {first_line(error)}"
            self._say(f"{variant.name} is left out: {self._not_run[variant.name]}")
            return None


def first_line(error: Exception) -> str:
    """Return what an error says first: compilers say a page."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _at_most_every(seconds: float, say: Progress) -> Progress:
    """Return a progress that passes a line on only where `seconds` have gone by since the last."""
    last_s = time.monotonic()

    def maybe(line: str) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= seconds:
            say(line)
            last_s = time.monotonic()

    return maybe
