"""A candidate on trial beside the version that is served: as a canary, or as a shadow.

Ensembles of its own call it, `emotion_text_candidate` beside `emotion_text`: they pin the
candidate's steps and else what the served ensembles pin, so a request meets one or the other
whole. Their folders are there only while the trial lasts. That of the ensemble that decides for
the branch comes last and goes first, by one rename, and its config says what trial it is: the
API reads it there, through Triton.

There is one trial at a time. What a request with both a text and a recording would meet under two
of them could not be told from either.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch, Manifest
from export.versions import MODELS, sync
from serving.choice import DECISION, ENSEMBLES, Choice, pin, pinned, read_choice
from serving.configs import FILE_NAME, read_config, write_config

Kind = Literal["canary", "shadow"]

SUFFIX = "_candidate"
CANDIDATES = tuple(
    dict.fromkeys(
        f"{name}{SUFFIX}" for names in zip(*ENSEMBLES.values(), strict=True) for name in names
    )
)
"""Every ensemble that a trial may have, those that decide first."""

_TRIAL = "trial"


@dataclass(frozen=True)
class Trial:
    """A version that gets `percent` of the requests of its branch.

    A canary answers them. A shadow gets a copy, and its answers are only logged.
    """

    branch: Branch
    version: int
    kind: Kind
    percent: float

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.kind} {self.percent:g}%"

    @property
    def ensembles(self) -> list[str]:
        """The names of its ensembles, the one that decides last."""
        return [f"{name}{SUFFIX}" for name in reversed(ENSEMBLES[self.branch])]


def read_trial(repository: Path) -> Trial | None:
    """Return the trial that a repository serves; it has ended where its version is served."""
    for branch, (decides, *_) in ENSEMBLES.items():
        try:
            config = read_config(repository / f"{decides}{SUFFIX}" / FILE_NAME)
        except FileNotFoundError:
            continue
        about = json.loads(config.parameters[_TRIAL].string_value)
        trial, choice = (
            Trial(branch, pinned(config, branch), **about),
            read_choice(repository, branch),
        )
        if choice is None or choice.version != trial.version:
            return trial
    return None


def not_of(trial: Trial | None) -> list[str]:
    """Return the ensembles that this trial has not, in the order to take them away."""
    return [name for name in CANDIDATES if trial is None or name not in trial.ensembles]


def write_trial(repository: Path, trial: Trial) -> None:
    """Write a trial's ensembles, after those that are served; anew where they are there.

    Raises:
        ExportError: the candidate's manifest cannot be read.
    """
    for name in trial.ensembles:
        _write(repository, name, _config(repository, name, trial))


def remove_ensembles(repository: Path, names: Iterable[str]) -> None:
    """Take these ensembles of trials away, each by one rename, where they are there."""
    for name in names:
        folder = repository / name
        if folder.is_dir():
            removed = _served(repository, name) / ".removed"
            shutil.rmtree(removed, ignore_errors=True)
            folder.rename(removed)
            sync(repository)
            shutil.rmtree(removed)


def _config(repository: Path, name: str, trial: Trial) -> Any:
    config = read_config(_served(repository, name) / FILE_NAME)
    config.name = name
    config.parameters.pop(DECISION, None)  # of the version that is served
    manifest = _manifest(repository, trial)
    pin(config, {trial.branch: manifest}, {trial.branch: Choice(trial.version)})
    about = {"kind": trial.kind, "percent": trial.percent}
    config.parameters[_TRIAL].string_value = json.dumps(about)
    return config


def _manifest(repository: Path, trial: Trial) -> Manifest:
    """Return the candidate's, whose files were compared with it when the trial began."""
    folder = repository / MODELS[trial.branch][-1] / str(trial.version)
    try:
        return replace(manifests.read(folder), version=trial.version)
    except (OSError, ExportError) as error:
        raise ExportError(
            f"{trial.branch} version {trial.version} has no manifest that can be read ({error}): "
            f"neurosense models stop {trial.branch}"
        ) from None


def _write(repository: Path, name: str, config: Any) -> None:
    served, folder = _served(repository, name), repository / name
    if folder.is_dir():
        write_config(folder, config)
        return
    made = served / ".made"  # Triton takes no notice of it there
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    for labels in served.glob("*.txt"):
        shutil.copy(labels, made)
    write_config(made, config)
    made.rename(folder)
    sync(repository)


def _served(repository: Path, name: str) -> Path:
    """Return the folder of the ensemble that a trial's stands beside."""
    return repository / name.removesuffix(SUFFIX)
