"""How much memory each process of the service holds, by what it is."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.processes import resident_bytes

_KNOWN = {
    "tritonserver": "triton",
    "streamlit": "page",
    "postgres": "database",
    "serving.cli": "supervisor",
    "neurosense": "supervisor",
}
_STUB = "triton_python_backend_stub"


def by_process(pids: Iterable[int]) -> dict[str, float]:
    """Return MB by a process' name, shared pages counted once (PSS), the largest first."""
    found: dict[str, float] = {}
    for pid in pids:
        name = _name(pid)
        found[name] = found.get(name, 0.0) + resident_bytes({pid}) / 1e6
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _name(pid: int) -> str:
    words = _command(pid)
    if any(_STUB in word for word in words):
        return _step(words)
    if words[1:3] == ["-m", "api"]:
        return "api"
    text = " ".join(words)
    return next((name for part, name in _KNOWN.items() if part in text), "others")


def _step(words: list[str]) -> str:
    """Return the model that a Python process of Triton runs: .../models/NAME/VERSION/model.py."""
    paths = [Path(word) for word in words if "/models/" in word]
    parts = paths[0].parts if paths else ()
    return parts[parts.index("models") + 1] if "models" in parts else "a step"


def _command(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []
