"""Begins and ends trials while requests come.

The candidate's steps are loaded beside those that answer, and then ensembles of their own call
them. Those that are served stay as they are.
"""

import contextlib

from export.errors import ExportError
from export.manifest import Branch
from serving.errors import ServingError
from serving.models.swap import Repository
from serving.trial import Trial, read_trial


def begin(repository: Repository, trial: Trial) -> None:
    """Begin a trial, or go on with it in another way.

    Raises:
        ExportError: the version is damaged; it was not loaded.
        ServingError: another version is on trial, this one is served, or Triton refuses it.
    """
    before = _same(repository, trial)
    with repository.beside(trial.branch, trial.version):
        try:
            repository.settle(trial)
        except BaseException:  # Ctrl-C and a full disk too
            with contextlib.suppress(ServingError, ExportError, OSError):
                repository.settle(before)
            with contextlib.suppress(ExportError, OSError):
                repository.note(before)  # also if Triton is gone: the next one reads the folder
            raise


def end(repository: Repository, branch: Branch) -> Trial:
    """End a branch's trial, and return it; what is left of an interrupted end goes too.

    The served version answers everything again, the other one is unloaded.

    Raises:
        ServingError: there is none.
    """
    trial = read_trial(repository.folder)
    if trial is not None and trial.branch != branch:
        raise ServingError(f"{branch} has no trial; {trial.branch} version {trial.version} has one")
    repository.finish(branch)
    repository.settle(None)
    repository.load(branch, repository.needed(branch))
    if trial is None:
        raise ServingError(f"{branch} has no canary and no shadow: neurosense models list")
    return trial


def _same(repository: Repository, trial: Trial) -> Trial | None:
    """Return the trial of this version that runs, None if there is none."""
    if trial.version == repository.choice(trial.branch).version:
        raise ServingError(f"{trial.branch} version {trial.version} is the one that is served")
    before = read_trial(repository.folder)
    if before and (before.branch, before.version) != (trial.branch, trial.version):
        raise ServingError(
            f"{before.branch} version {before.version} is on trial ({before}), and there is one "
            f"trial at a time: neurosense models stop {before.branch}"
        )
    return before
