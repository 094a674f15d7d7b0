"""Which version each branch serves after a start: the promoted one, or what the settings name."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from export.errors import ExportError
from export.manifest import Branch, Manifest
from export.progress import Progress
from export.versions import intact
from serving.choice import Choice, following, read_choice
from serving.provision import provide
from serving.settings import Settings
from serving.trial import Trial, read_trial


def choose(branch: Branch, settings: Settings, say: Progress) -> tuple[Choice, Manifest]:
    """Return the version that `branch` is to serve at a start, and its manifest.

    What a person promoted stays, until the settings ask for something else than they did then.

    Raises:
        ExportError: the promoted version is damaged.
    """
    old = read_choice(settings.repository, branch)
    wanted = _wanted(branch, settings)
    if old is not None and old.promoted and old.wanted in ("", wanted):
        return replace(old, wanted=wanted), _promoted(settings, branch, old)
    manifest = provide(branch, settings, say)
    if old is not None and old.promoted and old.version != manifest.version:
        say(
            f"{branch}: the settings ask for another checkpoint than when version {old.version} "
            f"was promoted: version {manifest.version} takes its place"
        )
    return replace(following(old, manifest), wanted=wanted), manifest


def kept_trial(repository: Path, choices: Mapping[Branch, Choice], say: Progress) -> Trial | None:
    """Return the trial that goes on after a start; a damaged candidate fails none."""
    trial = read_trial(repository)
    if trial is None or choices[trial.branch].version == trial.version:
        return None
    try:
        intact(repository, trial.branch, trial.version)
    except ExportError as error:
        say(f"WARNING: the {trial.kind} of {trial.branch} version {trial.version} is over: {error}")
        return None
    return trial


def _promoted(settings: Settings, branch: Branch, choice: Choice) -> Manifest:
    try:
        return intact(settings.repository, branch, choice.version)
    except ExportError as error:
        raise ExportError(
            f"{error}. Until then go back: neurosense models rollback {branch}"
        ) from None


def _wanted(branch: Branch, settings: Settings) -> str:
    """Return what the settings say about a branch's weights."""
    named = getattr(settings, f"{branch}_checkpoint")
    return json.dumps([settings.weights if named is None else named, settings.precision])
