"""Measures a branch point by point, and goes on where an earlier run was stopped.

All points have a turn before the first has its next: a virtual machine may be slow for half a
minute, which would be in all rounds of a point if these were made one after another.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import Contest, Plan
from benchmarks.kept import Kept, fingerprint
from benchmarks.machines import machine
from benchmarks.points import Point
from benchmarks.rounds import TURNS
from benchmarks.sources import Models
from export.progress import Progress


def measure(models: Models, points: Sequence[Point], plan: Plan, kept: Kept, say: Progress) -> None:
    """Give every point the turns that it lacks; each is kept as soon as it is made."""
    turns = [(turn, point) for turn in range(TURNS) for point in points]
    missing = [(turn, point) for turn, point in turns if kept.times(point) <= turn]
    done = len(turns) - len(missing)
    if done:
        say(f"{done} of {len(turns)} turns are kept from an earlier run; --fresh makes all")
    contest: Contest | None = None  # not loaded where nothing is missing
    for number, (_, point) in enumerate(missing, done + 1):
        contest = contest or Contest(models, plan, say)
        say(f"[{number}/{len(turns)}] {point} ...")
        kept.add(contest.measure(point))


def keep(models: Models, plan: Plan, folder: Path, *, fresh: bool) -> Kept:
    """Return what earlier runs of the same models on this machine have measured.

    Args:
        models: what is measured; their files' contents count.
        plan: how it is measured.
        folder: where it is kept.
        fresh: forget them first.
    """
    file = folder / f"models-{models.checkpoint.branch}.jsonl"
    if fresh:
        file.unlink(missing_ok=True)
    facts = {name: fact for name, fact in machine().items() if name != "date"}
    return Kept(file, fingerprint(models.files(), facts | {"plan": repr(plan)}))
