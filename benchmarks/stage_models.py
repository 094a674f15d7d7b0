"""Stage 1: the classifiers alone (see `python -m benchmarks.models`)."""

from collections.abc import Sequence
from typing import get_args

from benchmarks import contest
from benchmarks.finished import Finished
from benchmarks.measuring import keep, measure
from benchmarks.models import set_compilers_cache
from benchmarks.plan import Plan
from benchmarks.points import Measured
from benchmarks.prepare import Prepared
from benchmarks.results import Results
from benchmarks.sources import full_size_models, published
from export.manifest import Branch
from export.progress import Progress


def run(prepared: Prepared, plan: Plan, finished: Finished, threads: int, say: Progress) -> Results:
    """Measure every point of both branches; each turn is kept as soon as it is made."""
    set_compilers_cache()
    found: list[Measured] = []
    for branch in get_args(Branch):
        found.extend(_branch(branch, prepared, plan, finished, threads, say))
    return Results(models=found)


def _branch(
    branch: Branch,
    prepared: Prepared,
    plan: Plan,
    finished: Finished,
    threads: int,
    say: Progress,
) -> Sequence[Measured]:
    repositories = [prepared.repository(name) for name in prepared.precisions]
    models = full_size_models(branch, published(branch, repositories), prepared.work, say)
    how = contest.Plan(threads, plan.model_budget_s, trial_s=plan.trial_s, device=plan.device)
    kept = keep(models, how, finished.folder, fresh=False)
    measure(models, plan.points[branch], how, kept, say)
    return kept.found(plan.points[branch])
