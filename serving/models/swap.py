"""Swaps the version of a branch while requests come.

Triton serves the old and the new version of the steps side by side while the ensembles, which
alone decide which of them a request meets, are loaded anew with other pins. A request that an
old ensemble took holds on to the old steps until it is answered: Triton unloads them then.

Killed anywhere, each ensemble calls the old version or the new one, and the next swap of the
branch (to the same version too) finishes what was left: until then `emotion_multimodal` may call
another version than the ensemble that decides.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from export.errors import ExportError
from export.manifest import Branch
from export.versions import MODELS, intact
from serving.accelerators import has_engines
from serving.configs import FILE_NAME, read_config
from serving.errors import ServingError
from serving.models import called
from serving.models.served import Served


class Repository(Served):
    """A repository whose versions are swapped."""

    @contextlib.contextmanager
    def beside(self, branch: Branch, version: int) -> Iterator[None]:
        """Have a version loaded beside the one that is served.

        In the end only what the ensembles call stays loaded, also after an error.

        Raises:
            ExportError: the version is damaged; it was not loaded.
            ServingError: Triton cannot load it; what was served still is.
        """
        intact(self.folder, branch, version)
        self._require_no_engines(branch, version)
        self.finish(branch)
        try:
            self.load(branch, called.versions_of(self.live(branch)) | {version})
            yield
        except BaseException:
            self._undo(branch)
            raise
        self.load(branch, self.needed(branch))

    def _undo(self, branch: Branch) -> None:
        """Leave what the ensembles call, and those of a Triton that starts now, and nothing else.

        A Triton that the version took down must not load it again when it is started again.
        """
        needed = called.versions_of(called.on_disk(self.folder, branch))
        with contextlib.suppress(ServingError):
            needed |= called.versions_of(self.live(branch))
        try:
            self.load(branch, needed)
        except (ServingError, OSError) as error:
            self.say(f"Not all of it could be undone: {error}. The next command for {branch} does")

    def _require_no_engines(self, branch: Branch, version: int) -> None:
        """Raise ServingError where the classifier's configuration fits the served version only."""
        config = read_config(self.folder / MODELS[branch][-1] / FILE_NAME)
        if has_engines(config) and version != self.choice(branch).version:
            raise ServingError(
                "TensorRT's engines are for the weights and the limits of one version, so it is "
                "not swapped under them: start without NEUROSENSE_ACCELERATOR=tensorrt, promote "
                f"{branch} version {version}, and start with it again"
            )

    def promote(self, branch: Branch, version: int) -> None:
        """Let a version that is loaded answer every request from now on.

        Interrupted or refused, the old version answers as before.

        Raises:
            ServingError: Triton refuses.
        """
        old = self.choice(branch)
        new = replace(old, version=version, promoted=True)
        if version != old.version:
            new = replace(new, previous=old.version)
        try:
            self.pin(branch, new)
        except BaseException:  # Ctrl-C and a full disk too
            with contextlib.suppress(ServingError, ExportError, OSError):
                self.pin(branch, old)
            raise

    def swap(self, branch: Branch, version: int) -> None:
        """Put a version in the place of the one that is served, and unload that one."""
        with self.beside(branch, version):
            self.promote(branch, version)

    def finish(self, branch: Branch) -> None:
        """Finish what was interrupted between two ensembles: a swap, a trial's begin or end."""
        live, disk = self.live(branch), called.on_disk(self.folder, branch)
        wanted = called.wanted(self.folder, branch, self.choice(branch))
        found = [*live.items(), *disk.items()]
        if live and any(versions != {wanted.get(name)} for name, versions in found):
            self.load(branch, called.versions_of(live, disk) | set(wanted.values()))
            self.pin(branch, self.choice(branch))
