"""What a repository holds, what of it is served, and what is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch
from export.versions import MODELS, intact, versions
from serving.choice import read_choice
from serving.models.triton import SwappedTriton
from serving.trial import read_trial

_UNREADABLE = "(no manifest that can be read)", "", "", ""


@dataclass(frozen=True)
class Entry:
    """A published version; `loaded` is None where no Triton was asked, `state` the rest."""

    branch: Branch
    version: int
    name: str
    weights: str
    precision: str
    created_at: str
    state: str
    loaded: bool | None


def entries(repository: Path, tritons: Sequence[SwappedTriton]) -> list[Entry]:
    """Return the versions of both branches, the oldest first; hashes are not compared here."""
    return [
        _entry(repository, branch, version, tritons)
        for branch, (*_, classifier) in MODELS.items()
        for version in sorted(versions(repository / classifier))
    ]


def _entry(
    repository: Path, branch: Branch, version: int, tritons: Sequence[SwappedTriton]
) -> Entry:
    *_, classifier = MODELS[branch]
    about: tuple[str, str, str, str]
    try:
        manifest = manifests.read(repository / classifier / str(version))
        about = manifest.name, manifest.weights, manifest.precision, manifest.created_at or ""
    except (OSError, ExportError):
        about = _UNREADABLE
    loaded = all(version in triton.loaded(classifier) for triton in tritons) if tritons else None
    return Entry(branch, version, *about, _state(repository, branch, version), loaded)


def _state(repository: Path, branch: Branch, version: int) -> str:
    choice, trial = read_choice(repository, branch), read_trial(repository)
    if choice is None:
        return ""
    if trial and (trial.branch, trial.version) == (branch, version):
        return str(trial)
    if version == choice.version:
        return "served, promoted" if choice.promoted else "served"
    return "previous" if version == choice.previous else ""


def details(repository: Path, branch: Branch, version: int) -> dict[str, Any]:
    """Return a version's manifest, and whether its files are what the manifest names.

    Raises:
        ExportError: there is no manifest to show.
    """
    folder = repository / MODELS[branch][-1] / str(version)
    try:
        problem = None
        manifest = intact(repository, branch, version)
    except ExportError as error:
        problem = str(error)
        try:
            manifest = manifests.read(folder)
        except (OSError, ExportError):
            raise error from None
    shown = {name: value for name, value in vars(manifest).items() if value is not None}
    return {**shown, "state": _state(repository, branch, version), "problem": problem}
