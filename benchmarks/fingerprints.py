"""What a figure depends on, as a short digest: code, weights, machine and plan."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.machines import machine
from serving.settings import PROJECT

_MEASURED = ("api", "benchmarks", "ensemble", "export", "model_repository", "serving")
_SUFFIXES = {".py", ".pbtxt", ".txt"}
_SHOWING = {
    "__main__",
    "figures",
    "figure_tables",
    "model_table",
    "plots",
    "progress",
    "style",
    "tables",
    "target",
    "targets",
}
"""Modules that only show figures: a change of them leaves what was measured as it is."""


def digest(parts: Mapping[str, object]) -> str:
    """Return 16 hexadecimal digits that differ where any of the parts does."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def of_code(folders: Iterable[str] = _MEASURED) -> str:
    """Return the digest of the project's files that decide what is measured and how."""
    files = [
        path
        for folder in folders
        for path in sorted((PROJECT / folder).rglob("*"))
        if path.suffix in _SUFFIXES and path.is_file() and not _only_shows(path)
    ]
    return digest({str(path.relative_to(PROJECT)): _sha256(path) for path in files})


def of_run(weights: Mapping[str, str], plan: object) -> str:
    """Return the digest of a whole run.

    Args:
        weights: digests of what is served, by a name.
        plan: how much is measured; its text must say all of it.
    """
    facts = {name: fact for name, fact in machine().items() if name != "date"}
    parts = {"code": of_code(), "machine": facts, "weights": dict(weights), "plan": repr(plan)}
    return digest(parts)


def _only_shows(path: Path) -> bool:
    return path.parent == PROJECT / "benchmarks" and path.stem in _SHOWING


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
