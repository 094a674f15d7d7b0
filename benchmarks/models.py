"""`python -m benchmarks.models`: the classifiers alone, run in all the ways one can."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmarks import model_table
from benchmarks.command import INTERRUPTED, run_app, say
from benchmarks.kept import Kept
from benchmarks.machines import machine
from benchmarks.points import Point, default_points, parse_points
from benchmarks.results import Results, save
from export.errors import ExportError
from export.manifest import Branch

WORK = Path(".neurosense/bench")
_RESULTS = Path(__file__).with_name("results")
_CORES = len(os.sched_getaffinity(0))
_Which = Annotated[Literal["text", "audio", "both"], typer.Option(help="whose classifier")]
_Points = Annotated[
    str | None,
    typer.Option(
        help="tokens or seconds, after an x the batch: 8,32,32x4 (with --branch) [a full run's]"
    ),
]
_Threads = Annotated[int, typer.Option(min=1, help="for every variant", show_default="all cores")]
_Ours = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="model repository with exported classifiers; repeat it for other precisions",
    ),
]
_Budget = Annotated[float, typer.Option(min=0, help="seconds for a point; three to six rounds")]
_Fresh = Annotated[bool, typer.Option("--fresh", help="measure again what is kept from before")]
_Thorough = Annotated[
    bool,
    typer.Option("--thorough", help="also 32 clips at once, and torch.compile in batches: long"),
]
_Output = Annotated[
    Path, typer.Option(help="folder for the .json and .md", show_default="benchmarks/results")
]
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def models(
    branch: _Which = "both",
    points: _Points = None,
    threads: _Threads = _CORES,
    ours: _Ours = None,
    budget: _Budget = 8.0,
    fresh: _Fresh = False,
    thorough: _Thorough = False,
    output: _Output = _RESULTS,
) -> None:
    """Time the full-size classifiers without a server: PyTorch, ONNX Runtime, ours.

    At each point (a length and a batch) all variants take turns, so that their ratios hold on
    a busy machine too. All points have a turn of one or two rounds, three times over: what slows
    the machine down for half a minute is then in a third of a point's rounds at most, and their
    median drops it. Turns are kept in .neurosense/bench; a run that was stopped goes on where it
    was, as long as models, libraries, machine and this program are the same.

    Examples:

    - `python -m benchmarks.models --ours model_repository`

    - `python -m benchmarks.models --branch text --points 8,32,32x8 --threads 1 --fresh`
    """
    branches: list[Branch] = ["text", "audio"] if branch == "both" else [branch]
    chosen = {one: _chosen(one, points, branch == "both", thorough) for one in branches}
    _run(chosen, ours or [], (threads, budget, thorough), fresh, output)


def _chosen(branch: Branch, points: str | None, both: bool, thorough: bool) -> list[Point]:
    if points is None:
        return default_points(branch, thorough)
    if both:
        raise typer.BadParameter("--points is of one branch: add --branch text or --branch audio")
    try:
        return parse_points(branch, points)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _run(
    chosen: dict[Branch, list[Point]],
    ours: list[Path],
    how: tuple[int, float, bool],
    fresh: bool,
    output: Path,
) -> None:
    """Measure, and report what was measured also where it is stopped in between."""
    set_compilers_cache()
    # Imported here because they take torch: --help and wrong options are answered at once.
    from benchmarks.contest import Plan
    from benchmarks.measuring import keep, measure
    from benchmarks.sources import full_size_models, published

    plan, kept, facts = Plan(*how), dict[Branch, Kept](), machine() | {"threads": str(how[0])}
    try:
        for branch, points in chosen.items():
            models = full_size_models(branch, published(branch, ours), WORK, say)
            facts[branch] = models.weights
            kept[branch] = keep(models, plan, WORK, fresh=fresh)
            measure(models, points, plan, kept[branch], say)
    except KeyboardInterrupt:
        say("Stopped. What was measured is kept: the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        found = [one for branch in kept for one in kept[branch].found(chosen[branch])]
        if found:
            _report(Results(facts=facts, models=found), output)


def set_compilers_cache() -> None:
    """Have torch.compile keep what it compiled beside the rest: the next run saves minutes."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str((WORK / "compiled").absolute()))


def _report(results: Results, folder: Path) -> None:
    facts = [f"{name}: {fact}" for name, fact in results.facts.items()]
    lines = [f"- {line}" for line in [*facts, *model_table.notes(results.models)]]
    text = "\n".join([model_table.table(results.models), "", *lines, ""])
    path = folder / datetime.now(UTC).strftime("models-%Y%m%d-%H%M%S.md")
    save(results, path.with_suffix(".json"))
    path.write_text(text)
    print(text)
    say(f"Written: {path} and .json beside it")


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(app, "benchmarks.models", ExportError)


if __name__ == "__main__":
    main()
