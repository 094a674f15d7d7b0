"""Measures a branch point by point, and goes on where an earlier run was stopped."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.contest import Contest, Plan
from benchmarks.kept import Kept, fingerprint
from benchmarks.machines import machine
from benchmarks.points import Measured, Point
from benchmarks.sources import Models
from export.hub_progress import Progress


def measure(
    models: Models, points: Sequence[Point], plan: Plan, kept: Kept, say: Progress
) -> Iterator[Measured]:
    """Yield every point, in order, as it is finished; one that is kept, at once."""
    done = sum(kept.get(point) is not None for point in points)
    if done:
        say(f"{done} of {len(points)} points are kept from an earlier run; --fresh measures all")
    contest: Contest | None = None  # not loaded where nothing is missing
    for number, point in enumerate(points, 1):
        found = kept.get(point)
        if found is None:
            contest = contest or Contest(models, plan, say)
            say(f"[{number}/{len(points)}] {point} ...")
            found = kept.add(contest.measure(point))
        yield found


def keep(models: Models, plan: Plan, folder: Path, *, fresh: bool) -> Kept:
    """Return what earlier runs of the same models on this machine have finished.

    Args:
        models: what is measured; their files' contents count.
        plan: how it is measured.
        folder: where finished points are kept.
        fresh: forget them first.
    """
    file = folder / f"models-{models.checkpoint.branch}.jsonl"
    if fresh:
        file.unlink(missing_ok=True)
    facts = {name: fact for name, fact in machine().items() if name != "date"}
    return Kept(file, fingerprint(models.files(), facts | {"plan": repr(plan)}))
