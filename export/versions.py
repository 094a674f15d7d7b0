"""The version folders of a model repository: which there are, and getting one onto the disk."""

import errno
import os
from pathlib import Path

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch

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
    """Return a number that none of the branch's models has used."""
    return 1 + max((v for m in MODELS[branch] for v in versions(repository / m)), default=0)


def is_published(repository: Path, version: int, file: str) -> bool:
    """Return whether a version has the file that its manifest calls `<model>/<name>`."""
    model, _, name = file.partition("/")
    return (repository / model / str(version) / name).is_file()


def hashes(model: str, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a version's folder, by `<model>/<name>`."""
    return {f"{model}/{file.name}": manifests.sha256(file) for file in sorted(folder.iterdir())}


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
