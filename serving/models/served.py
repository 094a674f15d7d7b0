"""A model repository together with the Tritons that serve it, and what these are told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.manifest import Branch
from export.progress import Progress, lasting
from export.versions import MODELS, intact
from serving.choice import ENSEMBLES, Choice, pin, pinned, read_choice
from serving.configs import FILE_NAME, read_config, write_config
from serving.errors import ServingError
from serving.models import called
from serving.models.synchronized import Synchronize
from serving.models.triton import SwappedTriton
from serving.trial import CANDIDATES, Trial, not_of, read_trial, remove_ensembles, write_trial

DRAIN_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Served:
    """The model repository of one Triton or of several, and what they hear of its changes.

    `tritons` may be empty: then a change counts from the next start on.
    """

    folder: Path
    tritons: Sequence[SwappedTriton]
    synchronize: Synchronize
    say: Progress

    def choice(self, branch: Branch) -> Choice:
        """Return what is served; ServingError if the repository is not complete."""
        choice = read_choice(self.folder, branch)
        if choice is None:
            raise ServingError(
                f"{self.folder} serves no {branch} yet: start it once (`neurosense serve`), or "
                "make one with `neurosense export --repository`"
            )
        return choice

    def live(self, branch: Branch) -> called.Called:
        """Return what the ensembles call; nothing where they could not be loaded."""
        if not self.tritons:
            return called.on_disk(self.folder, branch)
        return called.live(self.tritons, branch)

    def needed(self, branch: Branch) -> set[int]:
        """Return the versions that have to stay loaded."""
        return called.versions_of(self.live(branch)) or {self.choice(branch).version}

    def load(self, branch: Branch, versions: Collection[int]) -> None:
        """Have exactly these versions of a branch's steps loaded.

        Raises:
            ServingError: a Triton cannot, or it does not read this folder.
        """
        for name in MODELS[branch]:
            config = read_config(self._config(name))
            if list(config.version_policy.specific.versions) != sorted(versions):
                config.version_policy.specific.versions[:] = sorted(versions)
                write_config(self.folder / name, config)
        self.synchronize(self.folder)
        for triton in self.tritons:
            for name in MODELS[branch]:
                self._load(triton, name)
                self._require(triton, triton.serves(name, versions))
                for version in triton.states(name).keys() - set(versions):
                    self._wait_unloaded(triton, name, version)

    def pin(self, branch: Branch, choice: Choice) -> None:
        """Have the ensembles call the chosen version; a trial of it is over then.

        Raises:
            ServingError: a Triton refuses, or it does not read this folder.
        """
        manifest = intact(self.folder, branch, choice.version)
        for name in ENSEMBLES[branch]:
            config = read_config(self._config(name))
            pin(config, {branch: manifest}, {branch: choice})
            write_config(self.folder / name, config)
        self.synchronize(self.folder)
        for triton in self.tritons:
            for name in ENSEMBLES[branch]:
                self._load(triton, name)
                self._require(triton, pinned(triton.config(name), branch) == choice.version)
        if self._has_candidates():
            self.settle(read_trial(self.folder))

    def settle(self, trial: Trial | None) -> None:
        """Have the ensembles of this trial, after those that are served, and of no other."""
        for name in not_of(trial):
            for triton in self.tritons:  # while the folder is there: else it may go on with it
                if name in triton.serving():
                    triton.unload(name)
        self.note(trial)
        self.synchronize(self.folder)
        for name in trial.ensembles if trial else ():
            for triton in self.tritons:
                self._load(triton, name)

    def note(self, trial: Trial | None) -> None:
        """Have the folder say that this is on trial, and nothing else."""
        remove_ensembles(self.folder, not_of(trial))
        if trial is not None:
            write_trial(self.folder, trial)

    def _load(self, triton: SwappedTriton, name: str) -> None:
        with lasting(f"Triton at {triton.url} loads {name}", self.say):
            triton.load(name)

    def _wait_unloaded(self, triton: SwappedTriton, name: str, version: int) -> None:
        what = f"{name} version {version}"
        with lasting(f"Triton at {triton.url} answers the last requests of {what}", self.say):
            unloaded = triton.wait_unloaded(name, version, DRAIN_TIMEOUT_S)
        if not unloaded:
            self.say(
                f"{what} still answers a request after {DRAIN_TIMEOUT_S:g} s; Triton unloads it "
                "when that ends"
            )

    def _require(self, triton: SwappedTriton, read: bool) -> None:
        """Raise ServingError unless a Triton has read what was written."""
        if not read:
            raise ServingError(
                f"Triton at {triton.url} reads another folder than {self.folder}: give --sync, "
                "which carries the changes there, or --repository"
            )

    def _has_candidates(self) -> bool:
        there = {name for triton in self.tritons for name in triton.serving()}
        return any(name in there or (self.folder / name).is_dir() for name in CANDIDATES)

    def _config(self, model: str) -> Path:
        return self.folder / model / FILE_NAME
