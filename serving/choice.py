"""Which version of each branch is served: the ensembles' configs say it, and nothing else does.

`emotion_text` decides for the text and `emotion_audio` for the audio: the rename that puts its
config in place is the moment of a swap. `emotion_multimodal`, which calls both, follows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.manifest import Branch, Manifest
from export.versions import MODELS
from serving.configs import FILE_NAME, read_config

ENSEMBLES: dict[Branch, tuple[str, ...]] = {
    "text": ("emotion_text", "emotion_multimodal"),
    "audio": ("emotion_audio", "emotion_multimodal"),
}
"""The ensembles that call a branch's steps; the one that decides comes first."""

DECISION = "choice"
"""The parameter of an ensemble that decides, which says how it came to its version."""


@dataclass(frozen=True)
class Choice:
    """The version that a branch serves, and how it came to that.

    `previous` is the one before it, None if there was none. `promoted` says that a person chose
    it, else it is what the settings asked for; `wanted` is what they asked for then.
    """

    version: int
    previous: int | None = None
    promoted: bool = False
    wanted: str = ""


def read_choice(repository: Path, branch: Branch) -> Choice | None:
    """Return what a repository serves, None if it is not complete yet."""
    try:
        config = read_config(repository / ENSEMBLES[branch][0] / FILE_NAME)
    except FileNotFoundError:
        return None
    version = pinned(config, branch)
    if DECISION not in config.parameters:
        return Choice(version)
    history = json.loads(config.parameters[DECISION].string_value)
    return Choice(version=version, **history)


def loadable(repository: Path, branch: Branch) -> set[int]:
    """Return the versions of a branch's classifier that Triton is to load."""
    config = read_config(repository / MODELS[branch][-1] / FILE_NAME)
    return set(config.version_policy.specific.versions)


def following(old: Choice | None, manifest: Manifest) -> Choice:
    """Return the choice of a version that nobody promoted, after another one."""
    if manifest.version is None:
        raise ValueError(f"{manifest.name} is not published")
    if old is None:
        return Choice(manifest.version)
    previous = old.previous if old.version == manifest.version else old.version
    return Choice(manifest.version, previous)


def pinned(config: Any, branch: Branch) -> int:
    """Return the version of a branch's steps that an ensemble's config calls."""
    [version] = {
        step.model_version
        for step in config.ensemble_scheduling.step
        if step.model_name in MODELS[branch]
    }
    return int(version)


def pin(
    config: Any, manifests: Mapping[Branch, Manifest], choices: Mapping[Branch, Choice]
) -> None:
    """Make an ensemble's steps call the chosen versions, and its `parameters` say whose they are.

    The API reads there which model answers.
    """
    for step in config.ensemble_scheduling.step:
        for branch, choice in choices.items():
            if step.model_name in MODELS[branch]:
                step.model_version = choice.version
                config.parameters[branch].string_value = _identity(manifests[branch])
    for branch, choice in choices.items():
        if config.name == ENSEMBLES[branch][0]:
            history = asdict(choice)
            del history["version"]  # the steps' pins say it
            config.parameters[DECISION].string_value = json.dumps(history)


def _identity(manifest: Manifest) -> str:
    return json.dumps(
        {
            "name": manifest.name,
            "version": str(manifest.version),
            "weights": manifest.weights,
            "revision": manifest.revision,
            "coverage": manifest.coverage,
            "precision": manifest.precision,
            "calibration": manifest.calibration,
        }
    )
