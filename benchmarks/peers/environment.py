"""A peer's own Python environment, made once from its pinned requirements."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.errors import PeerError

PEERS = ("classic", "fastapi_onnx", "litserve", "bentoml", "ray_serve")
"""The names of the folders here, in the order in which they are measured."""
HERE = Path(__file__).parent
_STAMP = "installed"
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")

Say = Callable[[str], None]


def prepare(name: str, folder: Path, say: Say) -> Path:
    """Return the environment's Python; a second call with the same requirements installs nothing.

    Args:
        name: one of PEERS.
        folder: where this peer's files are kept; the environment is `venv` in it.
        say: is told when something is installed, as that takes minutes.

    Raises:
        PeerError: pip failed; its last lines say why.
    """
    requirements = HERE / name / "requirements.txt"
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    environment = folder.absolute() / "venv"
    stamp = environment / _STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"{name}: installing its environment (once, about a minute) ...")
        shutil.rmtree(environment, ignore_errors=True)
        _run(name, [sys.executable, "-m", "venv", str(environment)])
        _run(name, [str(_python(environment)), *_PIP, "-r", str(requirements)])
        stamp.write_text(wanted)
    return _python(environment)


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(
            f"{name}: its environment could not be made; is a package index reachable? "
            f"The end of what was said:\n{(done.stdout + done.stderr)[-1500:]}"
        )
