"""What is measured of the models alone, and what came out."""

from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.rounds import Timing
from export.manifest import Branch

Device = Literal["cpu", "cuda"]
EAGER, COMPILED, NAIVE = "PyTorch eager", "torch.compile", "ONNX Runtime, naive export"
EAGER_FP16 = "PyTorch eager, fp16"
OURS = "ours "
"""The variants' names; ours are followed by their precision."""
_LENGTHS: dict[Branch, tuple[float, ...]] = {
    "text": (8, 16, 32, 64, 128, 256),
    "audio": (1, 2, 4, 8, 20),
}
TYPICAL: dict[Branch, float] = {"text": 32, "audio": 4}
"""The length at which batches are compared, and that the targets name."""
_BATCHES: dict[Branch, tuple[int, ...]] = {"text": (4, 8, 32), "audio": (4, 8)}
_LARGEST_BATCH = 32
UNITS: dict[Branch, str] = {"text": "tokens", "audio": "s"}
"""Of a point's length."""


@dataclass(frozen=True)
class Point:
    """A batch of `rows` inputs of `length` tokens or seconds each."""

    branch: Branch
    length: float
    rows: int = 1

    def __str__(self) -> str:
        return f"{self.branch}, {self.length:g} {UNITS[self.branch]}, batch {self.rows}"


@dataclass(frozen=True)
class Measured:
    """All variants at one point, timed in turn in one session."""

    point: Point
    timings: dict[str, Timing]
    precisions: dict[str, str]
    """Which floor a variant has."""
    differences: dict[str, float]
    """Largest difference of a probability to PyTorch eager's, by variant."""
    not_run: dict[str, str]
    """Why a variant has no timing."""
    operations: float
    """FLOP of the whole batch."""
    floors_s: dict[str, float]
    """The least seconds that this machine allows, by precision."""

    def __add__(self, later: "Measured") -> "Measured":
        """Return the same point with both's rounds, of the variants that both ran."""
        ran = [name for name in self.timings if name in later.timings]
        timings = {name: self.timings[name] + later.timings[name] for name in ran}
        return replace(later, timings=timings)

    def over_eager(self, variant: str) -> float | None:
        """Return how many times as fast as PyTorch eager a variant is, None if not known."""
        if variant not in self.timings:
            return None
        return self.timings[EAGER].median_s / self.timings[variant].median_s

    def floor_s(self, variant: str) -> float | None:
        """Return the floor at the variant's precision, None where no peak was measured."""
        return self.floors_s.get(self.precisions[variant])

    def reached(self, variant: str) -> float | None:
        """Return which fraction of its floor a variant reached: 1 is as fast as can be."""
        floor_s = self.floor_s(variant)
        return None if floor_s is None else floor_s / self.timings[variant].median_s

    def fastest_of_ours(self) -> str | None:
        """Return the name of our fastest variant."""
        ours = [name for name in self.timings if name.startswith(OURS)]
        return min(ours, key=lambda name: self.timings[name].median_s, default=None)


def default_points(branch: Branch, thorough: bool) -> list[Point]:
    """Return the points of a full run; `thorough` adds audio's largest batch, which is slow."""
    batches = sorted({*_BATCHES[branch], *([_LARGEST_BATCH] if thorough else [])})
    return [Point(branch, length) for length in _LENGTHS[branch]] + [
        Point(branch, TYPICAL[branch], rows) for rows in batches
    ]


def parse_points(branch: Branch, written: str) -> list[Point]:
    """Read points as the command line has them: `8,32,32x4` is two alone and a batch of four.

    Raises:
        ValueError: something else is written; the message says what is meant.
    """
    return [_point(branch, one.strip()) for one in written.split(",")]


def _point(branch: Branch, written: str) -> Point:
    length, _, rows = written.partition("x")
    try:
        point = Point(branch, float(length), int(rows or "1"))
    except ValueError:
        point = Point(branch, 0)
    low, high = (3, 512) if branch == "text" else (0.1, 60)
    if not (low <= point.length <= high and point.rows >= 1) or (
        branch == "text" and not point.length.is_integer()
    ):
        raise ValueError(
            f"{written!r} is no point: {low:g} to {high} {UNITS[branch]}, and after an x the "
            "batch, as in 8,32,32x4"
        )
    return point
