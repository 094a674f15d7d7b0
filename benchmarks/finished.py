"""Finished parts of a run on disk, so that a run that was stopped goes on where it was."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


class Finished:
    """A folder with a JSON file for each part that is finished."""

    def __init__(self, folder: Path, fingerprint: str, *, fresh: bool = False) -> None:
        """Take up what is finished.

        Args:
            folder: holds a folder for every fingerprint.
            fingerprint: of all that a figure depends on; parts of another are passed over.
            fresh: forget what is there.
        """
        self.folder = folder / fingerprint
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, kind: type[T]) -> T | None:
        """Return a part, None if it is not finished."""
        file = self._file(name)
        return TypeAdapter(kind).validate_json(file.read_bytes()) if file.exists() else None

    def once(self, name: str, kind: type[T], measure: Callable[[], T]) -> T:
        """Return a part, measured and written at once if it is not finished yet."""
        found = self.get(name, kind)
        if found is None:
            found = measure()
            partial = self.folder / f".{name}"
            partial.write_bytes(TypeAdapter(kind).dump_json(found))
            partial.replace(self._file(name))  # whole or not at all
        return found

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"
