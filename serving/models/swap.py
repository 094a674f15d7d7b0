"""Swaps the version of a branch while requests come.

Triton serves the old and the new version of the steps side by side while the ensembles, which
alone decide which of them a request meets, are loaded anew with other pins. A request that an
old ensemble took holds on to the old steps until it is answered: Triton unloads them then.

Killed anywhere, the repository serves the old version or the new one, and the next swap of
the branch (to the same version too) finishes what was left.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.errors import ExportError
from export.hub_progress import Progress
from export.manifest import Branch
from export.versions import MODELS, intact
from serving.choice import ENSEMBLES, Choice, pin, pinned, read_choice
from serving.configs import FILE_NAME, read_config, write_config
from serving.errors import ServingError
from serving.models.synchronized import Synchronize
from serving.models.triton import SwappedTriton

DRAIN_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Repository:
    """The model repository of one Triton or of several, and what they hear of its changes.

    `tritons` may be empty: then a swap counts from the next start on.
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

    @contextlib.contextmanager
    def beside(self, branch: Branch, version: int) -> Iterator[None]:
        """Have a version loaded beside the one that is served.

        In the end only what the ensembles call stays loaded, also after an error.

        Raises:
            ExportError: the version is damaged; it was not loaded.
            ServingError: Triton cannot load it; what was served still is.
        """
        intact(self.folder, branch, version)
        self._finish(branch)
        try:
            self._serve(branch, self._live(branch) | {version})
            yield
        except BaseException:
            with contextlib.suppress(ServingError):
                self._serve(branch, self._needed(branch))
            raise
        self._serve(branch, self._needed(branch))

    def promote(self, branch: Branch, version: int) -> None:
        """Let a version that is loaded answer every request from now on.

        Raises:
            ServingError: Triton refuses; the old version answers as before.
        """
        old = self.choice(branch)
        new = replace(old, version=version, promoted=True)
        if version != old.version:
            new = replace(new, previous=old.version)
        try:
            self._pin(branch, new)
        except ServingError:
            with contextlib.suppress(ServingError, ExportError):
                self._pin(branch, old)
            raise

    def swap(self, branch: Branch, version: int) -> None:
        """Put a version in the place of the one that is served, and unload that one."""
        with self.beside(branch, version):
            self.promote(branch, version)

    def _finish(self, branch: Branch) -> None:
        """Finish a swap that was interrupted between two ensembles."""
        choice, live = self.choice(branch), self._live(branch)
        if live and (called := live | self._on_disk(branch)) != {choice.version}:
            self._serve(branch, called)
            self._pin(branch, choice)

    def _on_disk(self, branch: Branch) -> set[int]:
        return {pinned(read_config(self._config(name)), branch) for name in ENSEMBLES[branch]}

    def _live(self, branch: Branch) -> set[int]:
        """Return the versions that ensembles call; none where they could not be loaded."""
        if not self.tritons:
            return self._on_disk(branch)
        return {
            pinned(triton.config(name), branch)
            for triton in self.tritons
            for name in ENSEMBLES[branch]
            if triton.loaded(name)
        }

    def _needed(self, branch: Branch) -> set[int]:
        return self._live(branch) or {self.choice(branch).version}

    def _pin(self, branch: Branch, choice: Choice) -> None:
        manifest = intact(self.folder, branch, choice.version)
        for name in ENSEMBLES[branch]:
            config = read_config(self._config(name))
            pin(config, {branch: manifest}, {branch: choice})
            write_config(self.folder / name, config)
        self.synchronize(self.folder)
        for triton in self.tritons:
            for name in ENSEMBLES[branch]:
                triton.load(name)

    def _config(self, model: str) -> Path:
        return self.folder / model / FILE_NAME

    def _serve(self, branch: Branch, versions: Collection[int]) -> None:
        """Have exactly these versions of a branch's steps loaded."""
        for name in MODELS[branch]:
            config = read_config(self._config(name))
            if list(config.version_policy.specific.versions) != sorted(versions):
                config.version_policy.specific.versions[:] = sorted(versions)
                write_config(self.folder / name, config)
        self.synchronize(self.folder)
        for triton in self.tritons:
            for name in MODELS[branch]:
                triton.load(name)
                for version in triton.states(name).keys() - set(versions):
                    if not triton.wait_unloaded(name, version, DRAIN_TIMEOUT_S):
                        self.say(
                            f"{name} version {version} still answers a request after "
                            f"{DRAIN_TIMEOUT_S:g} s; Triton unloads it when that ends"
                        )
