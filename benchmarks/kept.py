"""What was measured, on disk, so that a measurement that was stopped goes on where it was."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.points import Measured, Point
from export import manifest as manifests

_MEASURED = TypeAdapter(Measured)
_SOURCES = ("contest", "rounds", "rows", "variants", "products", "floors", "operations")
"""The modules here whose code decides what a figure means."""


class Kept:
    """A file of JSON lines, one for each time a point was measured, if with this fingerprint."""

    def __init__(self, file: Path, fingerprint: str) -> None:
        self._file = file
        self._fingerprint = fingerprint
        self._points: defaultdict[Point, list[Measured]] = defaultdict(list)
        for line in file.read_text().splitlines() if file.exists() else []:
            self._read(line)

    def times(self, point: Point) -> int:
        """Return how many times the point was measured with the same fingerprint."""
        return len(self._points[point])

    def get(self, point: Point) -> Measured:
        """Return all rounds of a point that was measured at least once."""
        first, *others = self._points[point]
        return sum(others, start=first)

    def found(self, points: Iterable[Point]) -> list[Measured]:
        """Return those of the points that were measured at all, in order."""
        return [self.get(point) for point in points if self.times(point)]

    def add(self, measured: Measured) -> None:
        """Keep a point's rounds, at once."""
        content = {"fingerprint": self._fingerprint, "measured": _MEASURED.dump_python(measured)}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            # A line of its own even where the last one was cut off.
            file.write("\n" + json.dumps(content) + "\n")
        self._points[measured.point].append(measured)

    def _read(self, line: str) -> None:
        try:
            content = json.loads(line)
        except ValueError:
            return  # empty, or cut off when a run was killed
        if content["fingerprint"] == self._fingerprint:
            measured = _MEASURED.validate_python(content["measured"])
            self._points[measured.point].append(measured)


def fingerprint(files: Mapping[str, Path], facts: Mapping[str, Any]) -> str:
    """Return a digest of all that a timing depends on.

    Args:
        files: the models, by variant: their contents count, not their names.
        facts: machine, versions of libraries, threads.
    """
    code = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in _SOURCES]
    parts = {
        "models": {name: manifests.sha256(file) for name, file in files.items()},
        "facts": dict(facts),
        "code": hashlib.sha256(b"".join(code)).hexdigest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
