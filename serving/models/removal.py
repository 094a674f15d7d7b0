"""Deletes a version that nothing serves."""

from pathlib import Path

from export.manifest import Branch
from export.versions import MODELS, delete, versions
from serving.choice import loadable, read_choice
from serving.errors import ServingError
from serving.trial import read_trial


def remove_version(repository: Path, branch: Branch, version: int) -> None:
    """Delete a version.

    Raises:
        ServingError: it is not there, or it is served, on trial or what a rollback brings back.
    """
    if version not in versions(repository / MODELS[branch][-1]):
        raise ServingError(f"{branch} has no version {version}: neurosense models list")
    trial = read_trial(repository)
    if trial is not None and (trial.branch, trial.version) == (branch, version):
        raise ServingError(
            f"{branch} version {version} is on trial ({trial}): neurosense models stop {branch}"
        )
    choice = read_choice(repository, branch)
    if choice is not None and version in (choice.version, choice.previous):
        raise ServingError(
            f"{branch} version {version} is served, or what a rollback brings back: promote "
            "others first"
        )
    if choice is not None and version in loadable(repository, branch):
        raise ServingError(
            f"{branch} version {version} may be loaded still, a command was interrupted: "
            f"neurosense models promote {branch} {choice.version} finishes it"
        )
    delete(repository, branch, version)
