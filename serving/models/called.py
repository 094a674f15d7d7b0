"""Which version of a branch each ensemble calls: in the repository, in Triton, and as it should."""

from collections.abc import Sequence
from pathlib import Path

from export.manifest import Branch
from serving.choice import ENSEMBLES, Choice, pinned
from serving.configs import FILE_NAME, read_config
from serving.models.triton import SwappedTriton
from serving.trial import SUFFIX, read_trial

Called = dict[str, set[int]]
"""Versions by ensemble; more than one where Tritons differ."""


def wanted(folder: Path, branch: Branch, choice: Choice) -> dict[str, int]:
    """Return what the ensembles that decide say, for all that follow."""
    found = dict.fromkeys(ENSEMBLES[branch], choice.version)
    if trial := read_trial(folder):
        version = trial.version if trial.branch == branch else choice.version
        found |= {name: version for name in trial.ensembles if name in _callers(branch)}
    return found


def on_disk(folder: Path, branch: Branch) -> Called:
    """Return what a Triton that starts now would call."""
    return {
        name: {pinned(read_config(folder / name / FILE_NAME), branch)}
        for name in _callers(branch)
        if (folder / name).is_dir()
    }


def live(tritons: Sequence[SwappedTriton], branch: Branch) -> Called:
    """Return what is called now, without the ensembles that could not be loaded."""
    found: Called = {}
    for triton in tritons:
        for name in triton.serving() & set(_callers(branch)):
            found.setdefault(name, set()).add(pinned(triton.config(name), branch))
    return found


def versions_of(*places: Called) -> set[int]:
    """Return every version that is called."""
    return set().union(*(versions for place in places for versions in place.values()))


def _callers(branch: Branch) -> list[str]:
    return [name + suffix for suffix in ("", SUFFIX) for name in ENSEMBLES[branch]]
