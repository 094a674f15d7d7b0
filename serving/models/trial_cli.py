"""`neurosense models canary`, `shadow` and `stop`."""

from typing import Annotated

import typer

from serving.models import options, reports, trials
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.trial import Trial

_Percent = Annotated[float, typer.Option(min=0, max=100, help="of the requests, 0 to 100")]


def canary(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    percent: _Percent = 10.0,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Let a version answer a share of the requests, beside the one that is served.

    A request is answered by one or the other as a whole, and says which (`track`). What the
    candidate fails to answer, the served version does. The header `X-Model-Track: canary` or
    `current` chooses; with `--percent 0` the candidate answers nobody else. Given again, the
    command changes the share. `promote` ends it, and so does `stop`.

    - `neurosense models canary text 2 --percent 10`

    - `neurosense models promote text 2`
    """
    with options.opened(folder, triton, control_key_file, sync) as repository:
        _begin(repository, Trial(branch, version, "canary", percent), as_json)


def shadow(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    percent: _Percent = 100.0,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Send a version copies of the requests; what it answers is only logged.

    Nobody waits for it, and under load the copies are dropped and counted. Its rows are those of
    `/predictions?track=shadow` and `/stats?track=shadow`, each naming the prediction beside it.

    - `neurosense models shadow audio 3`

    - `neurosense models canary audio 3 --percent 5` then lets it answer some
    """
    with options.opened(folder, triton, control_key_file, sync) as repository:
        _begin(repository, Trial(branch, version, "shadow", percent), as_json)


def stop(
    branch: options.BranchArgument,
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """End the canary or the shadow of a branch: the served version answers everything again.

    - `neurosense models stop text`
    """
    with (
        options.opened(folder, triton, control_key_file, sync) as repository,
        swapping(repository.folder),
    ):
        trial = trials.end(repository, branch)
        reports.tried(repository, "stop", trial, as_json)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (canary, shadow, stop):
        app.command()(command)


def _begin(repository: Repository, trial: Trial, as_json: bool) -> None:
    options.need_triton(repository)
    with swapping(repository.folder):
        trials.begin(repository, trial)
        reports.tried(repository, trial.kind, trial, as_json)
