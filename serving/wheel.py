"""What the wheel `nvidia-pytriton` holds of Triton, and what it needs to run here."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from serving.errors import ServingError
from serving.settings import PROJECT

_BACKENDS = PROJECT / "serving" / "backends"


def wheel_folder() -> Path:
    """Return where Triton lies in the wheel; ServingError if it is not installed."""
    # Found by path: importing pytriton would ask for all its dependencies.
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise ServingError("nvidia-pytriton, which carries Triton, is not installed: run make")
    return Path(spec.origin).parent / "tritonserver"


def link_backends(folder: Path) -> None:
    """Fill `folder` as Triton's --backend-directory: its own Python backend, our ONNX one."""
    wheel = wheel_folder()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise ServingError(f"nvidia-pytriton has no Python backend for Python {version}")
    (folder / "python").mkdir()
    for file in ("libtriton_python.so", "triton_python_backend_utils.py"):
        # Copied, 1.4 MB: Triton refuses a library that a link leads out of the folder.
        shutil.copy(wheel / "backends" / "python" / file, folder / "python")
    (folder / "python" / stub.name).symlink_to(stub)
    (folder / "onnxruntime").symlink_to(_BACKENDS / "onnxruntime")


def environment() -> dict[str, str]:
    """Return the environment in which Triton's Python stubs find this Python and its packages."""
    libraries = str(wheel_folder().parent.parent / "nvidia_pytriton.libs")
    return {
        **os.environ,
        "LD_LIBRARY_PATH": _joined(
            str(_libpython_folder()), libraries, os.environ.get("LD_LIBRARY_PATH")
        ),
        # The stubs ignore PYTHONPATH; they take the packages of the first python3 on PATH.
        "PATH": _joined(str(Path(sys.prefix) / "bin"), os.environ.get("PATH")),
        "PYTHONDONTWRITEBYTECODE": "1",  # the repository is not ours to write into
    }


def _libpython_folder() -> Path:
    """Return where this Python's shared library lies, which the stubs are linked to."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    prefix = Path(sys.base_prefix) / "lib"
    for folder in (Path(sysconfig.get_config_var("LIBDIR")), prefix, prefix / multiarch):
        if (folder / name).exists():
            return folder
    raise ServingError(
        f"{sys.executable} has no shared library ({name}), which Triton's Python steps need. "
        "On Debian and Ubuntu: apt install libpython3-dev; pyenv: install it with "
        "PYTHON_CONFIGURE_OPTS=--enable-shared; conda's and uv's have it. Then: make clean"
    )


def _joined(*parts: str | None) -> str:
    return os.pathsep.join(part for part in parts if part)
