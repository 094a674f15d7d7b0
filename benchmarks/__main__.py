"""`python -m benchmarks`: everything that is measured of this project."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from tritonclient.utils import InferenceServerException

from benchmarks.analyzer_files import AnalyzerError
from benchmarks.command import INTERRUPTED, run_app
from benchmarks.http_load import LoadError
from benchmarks.models import WORK
from benchmarks.peers.errors import PeerError
from benchmarks.plan import FULL, QUICK, Plan, on_gpu
from benchmarks.points import Device
from benchmarks.progress import StageProgress
from export.errors import ExportError
from export.manifest import Precision
from serving.errors import ServingError

STAGES = ("models", "service", "peers", "growth")
_GPU_STAGES = ("models", "service", "peers")
_ALL = ",".join(STAGES)
_RESULTS = Path(__file__).with_name("results")
_FAILURES = (
    AnalyzerError,
    ExportError,
    InferenceServerException,
    LoadError,
    PeerError,
    ServingError,
)

_Only = Annotated[str, typer.Option(help="stages to run")]
_Quick = Annotated[bool, typer.Option("--quick", help="few points, three minutes: for trying")]
_Fresh = Annotated[bool, typer.Option("--fresh", help="measure again what is finished already")]
_Work = Annotated[Path, typer.Option(help="for checkpoints, graphs and what is finished")]
_Output = Annotated[
    Path, typer.Option(help="holds a folder for each day", show_default="benchmarks/results")
]
_Device = Annotated[
    Device, typer.Option(help="cuda: models, service and the classic peer on the first NVIDIA GPU")
]
_Precision = Annotated[
    Precision | None, typer.Option(help="what is served [fp16 on a GPU, else the best]")
]
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def bench(
    only: _Only = _ALL,
    quick: _Quick = False,
    fresh: _Fresh = False,
    work: _Work = WORK,
    output: _Output = _RESULTS,
    device: _Device = "cpu",
    precision: _Precision = None,
) -> None:
    """Measure the models alone, the service, the usual other servers, and how cost grows.

    Takes about 20 minutes on two cores, besides what is made once (checkpoints, graphs, the
    other servers' environments). Ctrl-C stops it; the same command goes on from there. Writes
    results.json, README.md and plots, and prints which targets are reached.

    Examples:

    - `python -m benchmarks --quick` shows in three minutes that everything runs

    - `python -m benchmarks --only service,growth --fresh`
    """
    stages = _chosen(only)
    plan = QUICK if quick else FULL
    if device == "cuda":
        plan, precision = on_gpu(plan), precision or "fp16"
        stages = _on_gpu(stages, named=only != _ALL)
    progress = StageProgress({name: plan.minutes[name] for name in stages})
    try:
        _run(stages, plan, fresh, work.absolute(), output / _today(quick), progress, precision)
    except KeyboardInterrupt:
        progress("Stopped. What is finished is kept: the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None


def _chosen(only: str) -> list[str]:
    named = [name.strip() for name in only.split(",") if name.strip()]
    if (unknown := set(named) - set(STAGES)) or not named:
        what = ", ".join(sorted(unknown)) or "nothing"
        raise typer.BadParameter(f"{what}: choose from {', '.join(STAGES)}")
    return [name for name in STAGES if name in named]


def _on_gpu(stages: list[str], named: bool) -> list[str]:
    """Return the stages that a GPU has; the others are of CPUs."""
    if named and set(stages) - set(_GPU_STAGES):
        raise typer.BadParameter(f"on a GPU there are {', '.join(_GPU_STAGES)}")
    return [name for name in stages if name in _GPU_STAGES]


def _today(quick: bool) -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d") + ("-quick" if quick else "")


def _run(
    stages: Sequence[str],
    plan: Plan,
    fresh: bool,
    work: Path,
    folder: Path,
    progress: StageProgress,
    precision: Precision | None,
) -> None:
    # Imported here because it takes torch: --help and wrong options are answered at once.
    from benchmarks import devices

    devices.check(plan.device)
    from benchmarks import whole_run

    progress("checkpoints, graphs and versions ...")
    threads = len(os.sched_getaffinity(0))
    run = whole_run.start(work, plan, threads, fresh, progress, precision)
    try:
        for name in stages:
            progress.begin(name)
            run.stage(name)
    finally:
        run.report(folder)


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(app, "benchmarks", *_FAILURES)


if __name__ == "__main__":
    main()
