"""`neurosense models verify`, `promote` and `rollback`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.manifest import Branch
from serving.errors import ServingError
from serving.models import gate_options, options, reports
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.verdict import Thresholds, Verdict

if TYPE_CHECKING:
    from serving.models.golden import Case  # slow to load: only a verdict needs it


def verify(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    golden: gate_options.Golden = None,
    min_agreement: gate_options.MinAgreement = None,
    max_accuracy_drop: gate_options.MaxDrop = None,
    max_latency_ratio: gate_options.MaxRatio = None,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Compare a version with the one that is served, both as Triton serves them.

    Every case of a golden set goes through the steps of both. The command fails (exit code 1)
    where the figures are below the thresholds, as `promote` would.

    - `neurosense models verify text 2`

    - `neurosense models verify audio 3 --golden our-calls.csv --min-agreement 0.8`
    """
    thresholds = gate_options.thresholds(min_agreement, max_accuracy_drop, max_latency_ratio)
    with options.opened(folder, triton, control_key_file, sync) as repository:
        options.need_triton(repository)
        with swapping(repository.folder), repository.beside(branch, version):
            verdict = _verdict(repository, branch, version, _cases(branch, golden))
    problems = verdict.problems(thresholds)
    if as_json:
        options.print_json({**verdict.figures(), "problems": problems})
    else:
        reports.print_verdict(verdict)
    if problems:
        raise ServingError(reports.refusal(branch, version, problems))


def promote(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    golden: gate_options.Golden = None,
    min_agreement: gate_options.MinAgreement = None,
    max_accuracy_drop: gate_options.MaxDrop = None,
    max_latency_ratio: gate_options.MaxRatio = None,
    force: Annotated[
        bool, typer.Option("--force", help="promote it whatever the gate says; that is logged")
    ] = False,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Let a version answer every request from now on, if it passes the gate of `verify`.

    It is loaded beside the served one; requests meet one or the other, and none fails. The old
    one is unloaded when its last request is answered. It stays promoted when everything is
    started anew. A promotion that was interrupted is finished by giving it again. A canary or a
    shadow of the version ends with it.

    - `neurosense models promote text 2`

    - `neurosense models promote audio 3 --golden our-calls.csv --max-accuracy-drop 0`
    """
    thresholds = gate_options.thresholds(min_agreement, max_accuracy_drop, max_latency_ratio)
    with options.opened(folder, triton, control_key_file, sync) as repository:
        if not force:
            options.need_triton(repository)
        with swapping(repository.folder):
            old, verdict, problems = repository.choice(branch).version, None, list[str]()
            with repository.beside(branch, version):
                if repository.tritons and version != old:
                    cases = _cases(branch, golden)
                    verdict, problems = _judged(repository, branch, version, cases, thresholds)
                if problems and not force:
                    raise ServingError(reports.refusal(branch, version, problems))
                swap = reports.Swap("promote", branch, old, version, verdict, problems)
                with reports.logged(repository, swap):
                    repository.promote(branch, version)
                reports.swapped(repository, swap, as_json)  # the old one may end minutes later


def rollback(
    branch: options.BranchArgument,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Bring the version back that was served before this one, without a gate.

    A second rollback takes the first one back. While nothing runs, it counts from the next start.

    - `neurosense models rollback text`
    """
    with (
        options.opened(folder, triton, control_key_file, sync) as repository,
        swapping(repository.folder),
    ):
        choice = repository.choice(branch)
        if choice.previous is None:
            raise ServingError(f"{branch} has served no other version: promote one by its number")
        swap = reports.Swap("rollback", branch, choice.version, choice.previous)
        with repository.beside(branch, choice.previous):
            with reports.logged(repository, swap):
                repository.promote(branch, choice.previous)
            reports.swapped(repository, swap, as_json)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (verify, promote, rollback):
        app.command()(command)


def _cases(branch: Branch, golden: Path | None) -> "list[Case]":
    from serving.models.golden import read, shipped

    return read(golden, branch) if golden else shipped(branch)


def _verdict(
    repository: Repository, branch: Branch, version: int, cases: "Sequence[Case]"
) -> Verdict:
    from serving.models.verify import compare

    options.tell(f"Asking both versions {len(cases)} times ...")
    served = repository.choice(branch).version
    return compare(repository.tritons[0], branch, served, version, cases, options.tell)


def _judged(
    repository: Repository,
    branch: Branch,
    version: int,
    cases: "Sequence[Case]",
    thresholds: Thresholds,
) -> tuple[Verdict | None, list[str]]:
    """Return the comparison and what speaks against the version: also that there is none."""
    try:
        verdict = _verdict(repository, branch, version, cases)
    except ServingError as error:
        return None, [f"they could not be compared: {error}"]
    return verdict, verdict.problems(thresholds)
