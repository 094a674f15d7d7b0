"""The version folders of a model repository: which there are, and getting one onto the disk."""

import dataclasses
import errno
import os
import shutil
from pathlib import Path

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch, Manifest

MODELS: dict[Branch, tuple[str, ...]] = {
    "text": ("text_tokenizer", "text_classifier"),
    "audio": ("audio_classifier",),
}
"""What a branch publishes under one version number; the classifier, last, holds the manifest."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def versions(model: Path) -> list[int]:
    """Return the version numbers in a model's folder, in no order."""
    if not model.is_dir():
        return []
    return [int(folder.name) for folder in model.iterdir() if folder.name.isdecimal()]


def next_version(repository: Path, branch: Branch) -> int:
    """Return a number that no version of the branch has ever had."""
    mark = _removed_mark(repository, branch)
    removed = int(mark.read_text()) if mark.exists() else 0
    return 1 + max(
        [removed, *(v for model in MODELS[branch] for v in versions(repository / model))]
    )


def intact(repository: Path, branch: Branch, version: int) -> Manifest:
    """Return a version's manifest, after comparing every file with the hash in it.

    Raises:
        ExportError: there is no such version, it is there by half, or a file was changed.
    """
    *_, classifier = MODELS[branch]
    folder = repository / classifier / str(version)
    if not folder.is_dir():
        there = ", ".join(map(str, sorted(versions(repository / classifier)))) or "none"
        raise ExportError(f"{branch} has no version {version} in {repository} (there: {there})")
    way_out = f"publish it again, and remove version {version}"
    try:
        manifest = dataclasses.replace(manifests.read(folder), version=version)
    except (OSError, ExportError) as error:
        raise ExportError(
            f"{branch} version {version} has no manifest that can be read ({error}): {way_out}"
        ) from None
    if manifest.branch != branch or not {name.partition("/")[0] for name in manifest.files} == set(
        MODELS[branch]
    ):
        raise ExportError(f"{folder} is no whole version of {branch}: {way_out}")
    for name, digest in manifest.files.items():
        model, _, file = name.partition("/")
        path = repository / model / str(version) / file
        if not path.is_file() or manifests.sha256(path) != digest:
            raise ExportError(
                f"{branch} version {version} is damaged: {path} is not the file that its manifest "
                f"names; {way_out}"
            )
    return manifest


def delete(repository: Path, branch: Branch, version: int) -> None:
    """Remove a version, the classifier's folder first: without it, nothing is published."""
    mark = _removed_mark(repository, branch)
    partial = mark.with_name(f"{mark.name}.partial")
    partial.write_text(str(max(version, int(mark.read_text()) if mark.exists() else 0)))
    sync(partial)
    partial.replace(mark)
    for model in reversed(MODELS[branch]):
        folder = repository / model / str(version)
        if folder.is_dir():
            removed = folder.with_name(f".removed-{version}")
            shutil.rmtree(removed, ignore_errors=True)
            folder.rename(removed)
            sync(folder.parent)
            shutil.rmtree(removed)


def _removed_mark(repository: Path, branch: Branch) -> Path:
    """Holds the newest number that was removed: rows of the log may still name it."""
    return repository / f".{branch}.removed"


def hashes(model: str, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a version's folder, by `<model>/<name>`."""
    return {f"{model}/{file.name}": manifests.sha256(file) for file in sorted(folder.iterdir())}


def forbid_bytecode(folder: Path) -> None:
    """Take the name of Python's folder for bytecode, so that it keeps none beside a model.py.

    Triton takes a model for a changed one when a file comes into its folder: the first swap would
    load every Python step anew, also those that nobody swaps. Its stubs heed no variable.
    """
    name = folder / "__pycache__"
    if name.is_dir():
        shutil.rmtree(name)
    name.touch()


def sync_tree(folder: Path) -> None:
    """Have the disk hold a folder's files."""
    for file in folder.iterdir():
        sync(file)
    sync(folder)


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(error: OSError, folder: str | Path, setting: str) -> ExportError | None:
    """Return what to tell the user if the disk is full or forbidden, else None."""
    if error.errno in _FULL:
        problem, way_out = "there is no room left", "free some space"
    elif error.errno in _FORBIDDEN:
        problem, way_out = "it may not be written", "allow it"
    else:
        return None
    return ExportError(f"{folder}: {problem}; {way_out}, or choose another folder ({setting})")
