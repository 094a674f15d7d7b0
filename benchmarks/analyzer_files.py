"""perf_analyzer's program and the libraries that it wants, both out of wheels."""

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The program asks for them by these names; the wheel of the server has them under others.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


class AnalyzerError(Exception):
    """perf_analyzer could not be found or failed; the message says how."""


@contextmanager
def analyzer_libraries() -> Iterator[Path]:
    """Give the libraries that perf_analyzer wants, under the names that it wants."""
    with tempfile.TemporaryDirectory(prefix="neurosense-bench-libraries-") as folder:
        for name, pattern in _LIBRARIES.items():
            found = sorted(_wheel_libraries().glob(pattern))
            if not found:
                raise AnalyzerError(f"{pattern} is not in {_wheel_libraries()}")
            (Path(folder) / name).symlink_to(found[0])
        yield Path(folder)


def _wheel_libraries() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise AnalyzerError("nvidia-pytriton, whose libraries perf_analyzer needs, is missing")
    return Path(spec.origin).parent.parent / "nvidia_pytriton.libs"


def analyzer_program() -> Path:
    """Return perf_analyzer; AnalyzerError if it is not installed."""
    program = Path(sys.prefix) / "bin" / "perf_analyzer"
    if not program.exists():
        raise AnalyzerError(f"{program} is missing: install tritonclient's Linux wheel")
    return program
