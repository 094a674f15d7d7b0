"""Published versions: `<repository>/<model>/<version>/`, there whole or not at all.

A version is built in a hidden folder beside its siblings (so on the same file system; a
name that is no number is no version to Triton), written through to the disk, and renamed
into place. The classifier comes last: its rename is what publishes.
"""

import contextlib
import dataclasses
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tokenizers import Tokenizer

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import FORMAT, Branch, Manifest, Precision
from export.versions import (
    MODELS,
    cannot_write,
    forbid_bytecode,
    hashes,
    intact,
    next_version,
    sync,
    sync_tree,
    versions,
)

__all__ = ["MODELS", "TOKENIZER_MODEL", "Stage", "find", "staged"]

TOKENIZER_MODEL = Path(__file__).parents[1] / "model_repository/text_tokenizer/1/model.py"

_STAGING = ".staging"


@dataclass(frozen=True)
class Stage:
    """A version in the making: one folder for each of the branch's models."""

    repository: Path
    branch: Branch

    def folder(self, model: str) -> Path:
        """Return where the files of `model` go until they are published."""
        return self.repository / model / _STAGING

    @property
    def classifier(self) -> Path:
        """The folder that takes model.onnx."""
        return self.folder(MODELS[self.branch][-1])

    def write_tokenizer(
        self, tokenizer: Tokenizer, manifest: Manifest, model_py: Path = TOKENIZER_MODEL
    ) -> None:
        """Write the tokenizer version: tokenizer.json, told the model's limits, and model.py."""
        if manifest.max_tokens is None or manifest.pad_id is None:
            raise ValueError("the manifest of a text checkpoint has max_tokens and pad_id")
        pad_token = tokenizer.id_to_token(manifest.pad_id)
        tokenizer.enable_truncation(manifest.max_tokens)
        tokenizer.enable_padding(pad_id=manifest.pad_id, pad_token=pad_token)
        folder = self.folder("text_tokenizer")
        (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
        if not model_py.is_file():
            raise ExportError(f"{model_py} is missing: run from a complete checkout")
        shutil.copyfile(model_py, folder / "model.py")
        forbid_bytecode(folder)

    def commit(self, manifest: Manifest) -> Manifest:
        """Publish what was staged, and return its manifest with version and hashes."""
        models = MODELS[self.branch]
        version = next_version(self.repository, self.branch)
        files: dict[str, str] = {}
        for model in models:
            files |= hashes(model, self.folder(model))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = dataclasses.replace(manifest, files=files, version=version, created_at=now)
        (self.classifier / manifests.FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")
        for model in models:
            sync_tree(self.folder(model))
        for model in models:
            self.folder(model).rename(self.repository / model / str(version))
            sync(self.repository / model)
        return manifest


@contextlib.contextmanager
def staged(repository: Path, branch: Branch) -> Iterator[Stage]:
    """Give a stage to fill and commit; what is not committed is removed.

    One process at a time publishes a branch, others wait. What a killed one left behind is
    cleaned up first.

    Raises:
        ExportError: the disk is full or may not be written.
    """
    stage = Stage(repository, branch)
    folders = [stage.folder(model) for model in MODELS[branch]]
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with (repository / f".{branch}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                _clean(repository, branch)
                for folder in folders:
                    folder.mkdir(parents=True)
                yield stage
            finally:
                for folder in folders:
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if refusal := cannot_write(error, repository, "NEUROSENSE_STATE_DIR"):
            raise refusal from error
        raise


def find(
    repository: Path,
    branch: Branch,
    *,
    name: str,
    revision: str | None,
    weights: str,
    requested: Precision,
) -> Manifest | None:
    """Return the newest published version of a checkpoint, None if there is none.

    `revision` None means whatever revision was published last, `requested` what its precision
    was chosen by.
    """
    classifier = repository / MODELS[branch][-1]
    for version in sorted(versions(classifier), reverse=True):
        try:
            manifest = manifests.read(classifier / str(version))
        except (FileNotFoundError, ExportError):
            continue
        same = (manifest.name, manifest.weights, manifest.format) == (name, weights, FORMAT)
        same = same and revision in (None, manifest.revision) and manifest.requested == requested
        if same:
            with contextlib.suppress(ExportError):  # damaged: as if it were not there
                return intact(repository, branch, version)
    return None


def _clean(repository: Path, branch: Branch) -> None:
    """Remove what a publisher that was killed left: its stage, or a tokenizer on its own."""
    *others, classifier = MODELS[branch]
    for model in MODELS[branch]:
        shutil.rmtree(repository / model / _STAGING, ignore_errors=True)
    published = set(versions(repository / classifier))
    for model in others:
        for version in set(versions(repository / model)) - published:
            if (repository / model / str(version) / "tokenizer.json").is_file():
                shutil.rmtree(repository / model / str(version), ignore_errors=True)
