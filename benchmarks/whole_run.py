"""All stages of a run, each kept when it is finished, and the report of what there is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    figures,
    fingerprints,
    stage_growth,
    stage_models,
    stage_peers,
    stage_service,
    target,
)
from benchmarks.finished import Finished
from benchmarks.machines import machine
from benchmarks.plan import Plan
from benchmarks.prepare import Prepared, prepare
from benchmarks.results import Results, merged, save
from benchmarks.targets import targets
from export.manifest import Precision
from export.progress import Progress

Stage = Callable[[Prepared, Plan, Finished, int, Progress], Results]
STAGES: Mapping[str, Stage] = {
    "models": stage_models.run,
    "service": stage_service.run,
    "peers": stage_peers.run,
    "growth": stage_growth.run,
}


@dataclass(frozen=True)
class WholeRun:
    """What is measured, how much of it, and what is finished."""

    prepared: Prepared
    plan: Plan
    finished: Finished
    threads: int
    say: Progress

    def stage(self, name: str) -> Results:
        """Return a stage's results, measured now unless an earlier run has finished it."""
        return self.finished.once(_file(name), Results, lambda: self._measure(name))

    def report(self, folder: Path) -> None:
        """Write and print what is finished, by this run or an earlier one; nothing if none is."""
        parts = [self.finished.get(_file(name), Results) for name in STAGES]
        done = [part for part in parts if part is not None]
        if not done:
            return
        facts = machine() | {"threads": str(self.threads)}
        results = merged([Results(facts=facts | self.prepared.facts()), *done])
        save(results, folder / "results.json")
        written = figures.write(results, folder)
        print(target.table(targets(results)), flush=True)
        self.say(f"Written: {written}, results.json and plots beside it")

    def _measure(self, name: str) -> Results:
        begin = time.monotonic()
        results = STAGES[name](self.prepared, self.plan, self.finished, self.threads, self.say)
        self.say(f"{name}: finished in {(time.monotonic() - begin) / 60:.1f} min")
        return results


def start(
    work: Path,
    plan: Plan,
    threads: int,
    fresh: bool,
    say: Progress,
    precision: Precision | None = None,
) -> WholeRun:
    """Prepare a run, or take up the one of the same code, weights, machine and plan.

    Args:
        work: keeps checkpoints, graphs, versions and what is finished.
        plan: how much is measured.
        threads: of each model; the cores that there are.
        fresh: forget what is finished.
        say: is told what takes longer than a moment.
        precision: what is served; without, the best that may be on a CPU.
    """
    prepared = prepare(work, say, precision)
    fingerprint = fingerprints.of_run(prepared.digests(), plan)
    finished = Finished(work / "run", fingerprint, fresh=fresh)
    return WholeRun(prepared, plan, finished, threads, say)


def _file(stage: str) -> str:
    return f"stage-{stage}"
