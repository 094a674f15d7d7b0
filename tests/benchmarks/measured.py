"""Made-up measurements for the tests of what is done with them."""

from benchmarks.points import EAGER, OURS, Measured, Point
from benchmarks.rounds import Timing
from export.manifest import Branch


def timing(seconds: float) -> Timing:
    return Timing(tuple(share * seconds for share in (0.9, 0.9, 1, 1.2, 1.2)))


def measured(
    branch: Branch = "text", length: float = 32, rows: int = 1, **ours_s: float
) -> Measured:
    """Return a point where PyTorch eager took a second, the machine allows 0.2 s and 0.05 s."""
    ours = {OURS + precision: seconds for precision, seconds in ours_s.items()}
    return Measured(
        point=Point(branch, length, rows),
        timings={EAGER: timing(1.0)} | {name: timing(seconds) for name, seconds in ours.items()},
        precisions={EAGER: "fp32"} | {OURS + precision: precision for precision in ours_s},
        differences=dict.fromkeys([EAGER, *ours], 0.0),
        not_run={"torch.compile": "no compiler"},
        operations=1e9,
        floors_s={"fp32": 0.2, "int8": 0.05},
    )
