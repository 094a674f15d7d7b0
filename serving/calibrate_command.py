"""`neurosense calibrate`."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from evaluation.errors import EvaluationError
from evaluation.layouts import Layout, read
from export.calibrated import calibrate_starter, check_tools, publish_calibrated
from export.manifest import Branch
from export.starter import publish_starter
from serving.evaluation_options import Data, Dev, LayoutOption, Repository, Test
from serving.settings import Settings

_console = Console(highlight=False, soft_wrap=True)


def calibrate(
    data: Data,
    branch: Annotated[Branch, typer.Option(help="whose confidences are to be fitted")],
    layout: LayoutOption = None,
    dev: Dev = "dev",
    test: Test = "test",
    repository: Repository = None,
    version: Annotated[
        int | None, typer.Option(help="the version to calibrate (default: the newest)")
    ] = None,
    starter: Annotated[
        Path | None,
        typer.Option(help="calibrate the starter in this folder, as the project ships it"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would change, and publish nothing")
    ] = False,
) -> None:
    """Make a model's confidences mean what they say, by one temperature in its graph.

    It is fitted on the dev split and judged on test; labels do not change. The version is
    published again under a new number, which `neurosense serve` takes at its next start. Examples:

    - `neurosense calibrate calls.csv --branch text`

    - `neurosense calibrate ./RAVDESS --layout ravdess --branch audio --dry-run`
    """
    if starter is not None and (repository or version):
        raise typer.BadParameter("--starter has neither repository nor version")
    if not dry_run:
        check_tools()
    with tempfile.TemporaryDirectory() as work:
        target = repository or Settings.load().repository
        if starter is not None:
            target = Path(work)
            publish_starter(branch, target, starters=starter.absolute().parent)
        from evaluation.onnx_files import version_folder  # slow to load: the others do without

        number = int(version_folder(target, branch, version).name)
        calibration = _fit(data, layout, branch, target, number, (dev, test), dry_run)
        if calibration is None:
            return
        if starter is not None:
            calibrate_starter(starter, calibration)
            _console.print(f"{starter}: written", markup=False)
            return
        made = publish_calibrated(target, branch, number, calibration)
    _console.print(
        f"published as {branch} version {made.version}; `neurosense serve` takes it at its "
        "next start"
    )


def _fit(
    data: Path,
    layout: Layout | None,
    branch: Branch,
    repository: Path,
    version: int,
    splits: tuple[str, str],
    dry_run: bool,
) -> dict[str, Any] | None:
    """Say what fits the version best; return what its manifest is to hold, None on a dry run."""
    from evaluation.calibrate import fitted
    from evaluation.onnx_files import OnnxFiles

    found = fitted(read(data, layout), branch, OnnxFiles(repository, {branch: version}), *splits)
    _console.print(f"{branch} version {version}: {found.summary}", markup=False)
    if found.fitted_on == found.judged:
        _console.print("Judged by the rows it was fitted on: expect less on others.")
    if dry_run:
        return None
    if found.harms:
        raise EvaluationError("that makes the truth less likely: nothing was published")
    return found.record()
