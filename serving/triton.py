"""The real Triton server, from the binaries that `nvidia-pytriton` carries.

Triton 2.51 is older than several security fixes, so this one listens on loopback only.
"""

import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import TracebackType

import onnxruntime

from serving.errors import ServingError
from serving.ports import answers
from serving.process import Child
from serving.process_folders import lost_children
from serving.run_folder import remove_shared_memory
from serving.server import PROBE_TIMEOUT_S, Server
from serving.settings import PROJECT

_HOST = "127.0.0.1"
_BACKENDS = PROJECT / "serving" / "backends"


class Triton(Server):
    """Context manager: a Triton that serves every model of `repository` on three ports.

    `run_dir` takes its folder of backends, and gives its name to the steps' shared memory.
    """

    name = "triton"
    start_timeout_s = 180.0

    def __init__(
        self,
        repository: Path,
        *,
        http_port: int,
        grpc_port: int,
        metrics_port: int,
        log_path: Path,
        run_dir: Path | None = None,
    ) -> None:
        self.http_url = f"{_HOST}:{http_port}"
        self.grpc_url = f"{_HOST}:{grpc_port}"
        self.metrics_url = f"http://{_HOST}:{metrics_port}/metrics"
        self._ports = {"http": http_port, "grpc": grpc_port, "metrics": metrics_port}
        self._repository = repository.absolute()
        self._log_path = log_path
        self._run_dir = run_dir

    def __enter__(self) -> "Triton":
        """Start it; returns when every model is ready, ServingError if it dies before."""
        self._backend_dir = Path(tempfile.mkdtemp(prefix="neurosense-backends-", dir=self._run_dir))
        # The name of every shared memory region of the Python steps begins with it.
        self._shm_prefix = (self._run_dir or self._backend_dir).name
        try:
            _link_backends(self._backend_dir)
            # Triton starts its stubs through a shell, unquoted: no path of the user's in there.
            (self._backend_dir / "models").symlink_to(self._repository)
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it and its steps; no process, folder or shared memory stays."""
        self.stop()
        shutil.rmtree(self._backend_dir, ignore_errors=True)
        remove_shared_memory(self._shm_prefix)

    def _launched(self, *, append: bool) -> Child:
        remove_shared_memory(self._shm_prefix)
        return Child(
            self.name,
            self._command(),
            self._log_path,
            env=_environment(),
            cwd=PROJECT,
            append=append,
        )

    def ready(self) -> bool:
        """Whether the server answers that all its models are ready."""
        return answers(f"http://{self.http_url}/v2/health/ready", PROBE_TIMEOUT_S)

    def alive(self) -> bool:
        """Whether the server answers at all."""
        return answers(f"http://{self.http_url}/v2/health/live", PROBE_TIMEOUT_S)

    def broken(self) -> str | None:
        """Whether a step's process has died, which Triton neither restarts nor reports.

        Every request that needs the step would hang or fail, while /v2/health/ready goes on to
        say 200 (https://github.com/triton-inference-server/server/issues/8604). One that is
        stopped counts too: after a second Triton 2.51 never takes it back.
        """
        if self.child is None or not lost_children(self.child.pid):
            return None
        return "lost the process of a step"

    def _command(self) -> list[str]:
        ports = [
            option
            for service, port in self._ports.items()
            for option in (f"--{service}-port={port}", f"--{service}-address={_HOST}")
        ]
        return [
            str(_wheel_folder() / "bin" / "tritonserver"),
            f"--model-repository={self._backend_dir / 'models'}",
            f"--backend-directory={self._backend_dir}",
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            "--model-control-mode=explicit",
            "--load-model=*",
            "--disable-auto-complete-config",  # the configurations are complete
            "--exit-timeout-secs=4",
            *ports,
        ]


def has_gpu() -> bool:
    """Return whether the classifiers of this installation run on a GPU."""
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _wheel_folder() -> Path:
    # Found by path: importing pytriton would ask for all its dependencies.
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise ServingError("nvidia-pytriton, which carries Triton, is not installed: run make")
    return Path(spec.origin).parent / "tritonserver"


def _link_backends(folder: Path) -> None:
    """Fill `folder` as Triton's --backend-directory: its own Python backend, our ONNX one."""
    wheel = _wheel_folder()
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


def _environment() -> dict[str, str]:
    """Return the environment in which Triton's Python stubs find this Python and its packages."""
    libraries = str(_wheel_folder().parent.parent / "nvidia_pytriton.libs")
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
