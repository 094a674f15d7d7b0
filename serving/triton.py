"""The real Triton server, from the binaries that `nvidia-pytriton` carries.

Triton 2.51 is older than several security fixes, so this one listens on loopback only.
"""

import contextlib
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import get_args

import httpx

from export.manifest import Branch
from serving import control
from serving.errors import ServingError
from serving.ports import answers
from serving.process import Child
from serving.run_folder import remove_shared_memory
from serving.server import PROBE_TIMEOUT_S, Server
from serving.settings import PROJECT
from serving.steps import Steps, branch_of, models_without
from serving.wheel import environment, link_backends, wheel_folder
from serving.work import Work

_HOST = "127.0.0.1"
_BRANCHES = ("emotion_text", "emotion_audio")
# The models take every core. The API goes first: it needs little, to answer, log or refuse at once.
_NICE = 5
_INDEX_TRIES = 3


class Triton(Server):
    """Context manager: a Triton that serves every model of `repository` on three ports.

    `run_dir` takes its folder of backends, and gives its name to the steps' shared memory.
    `host` is a loopback address. `response_cache_mb` is the memory for answers of the ensembles
    that `render` let have them.
    """

    name = "triton"
    start_timeout_s = 180.0
    idle_timeout_s = 30.0

    def __init__(
        self,
        repository: Path,
        *,
        http_port: int,
        grpc_port: int,
        metrics_port: int,
        log_path: Path,
        run_dir: Path | None = None,
        otlp_endpoint: str | None = None,
        host: str = _HOST,
        response_cache_mb: int = 0,
    ) -> None:
        self.http_url = f"{host}:{http_port}"
        self.grpc_url = f"{host}:{grpc_port}"
        self.metrics_url = f"http://{host}:{metrics_port}/metrics"
        self.control_key = control.new_key()
        self.host = host
        self._ports = {"http": http_port, "grpc": grpc_port, "metrics": metrics_port}
        self._repository = repository.absolute()
        self._log_path = log_path
        self._run_dir = run_dir
        self._otlp_endpoint = otlp_endpoint
        self._response_cache_mb = response_cache_mb

    def __enter__(self) -> "Triton":
        """Start it; returns when every model is ready, ServingError if it dies before."""
        self._backend_dir = Path(tempfile.mkdtemp(prefix="neurosense-backends-", dir=self._run_dir))
        # The name of every shared memory region of the Python steps begins with it.
        self._shm_prefix = (self._run_dir or self._backend_dir).name
        try:
            link_backends(self._backend_dir)
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
        child = Child(
            self.name,
            self._command(),
            self._log_path,
            env=environment(),
            cwd=PROJECT,
            append=append,
            nice=_NICE,
        )
        self._steps, self._lost = Steps(child.pid), list[str]()
        self._work = Work(child.pid)
        return child

    def ready(self) -> bool:
        """Whether it answers that all its models are ready, or else at least one branch's."""
        if answers(f"http://{self.http_url}/v2/health/ready", PROBE_TIMEOUT_S):
            return True
        return any(
            answers(f"http://{self.http_url}/v2/models/{ensemble}/ready", PROBE_TIMEOUT_S)
            for ensemble in _BRANCHES
        )

    def back(self) -> bool:
        """Whether it serves; which models its steps run is known from then on."""
        ready = self.ready()
        if ready:
            self._steps.lost()  # one that ends before it was looked at would have no name
        return ready

    def start(self) -> None:
        """Launch it and wait until it serves; ServingError if it dies or takes too long.

        Triton 2.51 was seen to abort while it loaded models that it had loaded often before
        (`boost::interprocess::lock_exception`), and to wait for ever for a step: so it does if
        the step's process dies in its first moments. So it has a second try, after an abort or
        when it is stuck.
        """
        self.launch()
        if self._aborts_or_is_stuck():
            self.launch()
        self.wait_until_ready()

    def _aborts_or_is_stuck(self) -> bool:
        """Wait until it has loaded what it can, or did one of these instead."""
        try:
            self.wait_until(lambda: self.alive() or self.stuck() is not None)
        except ServingError:
            if self.child is None or self.child.exit_code() != -signal.SIGABRT:
                raise
            return True
        return self.stuck() is not None

    def wait_until_ready(self) -> None:
        """Return once it serves; ServingError if it dies, or can load no branch at all."""
        self.wait_until(self.alive)
        if self.child is not None and not self.ready():
            raise ServingError(f"triton can load no model; its last lines:\n{self.child.log_end()}")

    def stuck(self) -> str | None:
        """Return in words for how long it has done nothing while it should load, or None."""
        idle_s = self._work.idle_s()
        return f"did nothing for {idle_s:.0f} s" if idle_s >= self.idle_timeout_s else None

    def not_served(self, timeout_s: float = 90.0) -> dict[str, str]:
        """Return the first line of why models that should be served are not, by name."""
        index, chosen = self._index(timeout_s / _INDEX_TRIES), self._chosen()
        loaded = {one["name"] for one in index if one.get("state") == "READY"}
        return {
            one["name"]: (one.get("reason") or "a model that it needs is not").splitlines()[0]
            for one in index
            if one["name"] not in loaded and (chosen == ["*"] or one["name"] in chosen)
        }

    def _index(self, timeout_s: float) -> list[dict[str, str]]:
        """Ask again where nothing comes, as Triton 2.51 once did on a busy machine."""
        for _ in range(_INDEX_TRIES):
            with contextlib.suppress(httpx.HTTPError, ValueError):
                answer = httpx.post(
                    f"http://{self.http_url}/v2/repository/index",
                    headers=control.headers(self.control_key),
                    timeout=timeout_s,
                    trust_env=False,
                )
                index: list[dict[str, str]] = answer.raise_for_status().json()
                return index
        raise ServingError("triton does not say which models it serves: its log may tell why")

    def alive(self) -> bool:
        """Whether the server answers at all."""
        return answers(f"http://{self.http_url}/v2/health/live", PROBE_TIMEOUT_S)

    def broken(self) -> str | None:
        """Whether a step's process has died, which Triton neither restarts nor reports.

        Every request that needs the step would hang or fail, while /v2/health/ready goes on to
        say 200 (https://github.com/triton-inference-server/server/issues/8604). One that is
        stopped counts too: after a second Triton 2.51 never takes it back.
        """
        if self.child is None:
            return None
        self._lost = self._steps.lost()
        names = " and ".join(filter(None, self._lost))
        return f"lost the process of a step{f' ({names})' if names else ''}" if self._lost else None

    def to_blame(self) -> Branch | None:
        """Return the branch whose steps alone were lost, if the other one is served."""
        return None if self.left_out else branch_of(self._lost)

    def _command(self) -> list[str]:
        ports = [
            option
            for service, port in self._ports.items()
            for option in (f"--{service}-port={port}", f"--{service}-address={self.host}")
        ]
        return [
            str(wheel_folder() / "bin" / "tritonserver"),
            f"--model-repository={self._backend_dir / 'models'}",
            f"--backend-directory={self._backend_dir}",
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in self._chosen()),
            "--exit-on-error=false",  # if one branch cannot be loaded, the other one still serves
            "--disable-auto-complete-config",  # the configurations are complete
            "--exit-timeout-secs=4",
            # The API asks for signs of life (api/channel.py); its default is five minutes.
            "--grpc-http2-min-recv-ping-interval-without-data=5000",
            *control.options(self.control_key),
            *ports,
            *_tracing(self._otlp_endpoint),
            *_caching(self._response_cache_mb),
        ]

    def _chosen(self) -> list[str]:
        for branch in get_args(Branch):
            if branch == self.left_out:
                return models_without(self._repository, branch)
        return ["*"]


def _tracing(otlp_endpoint: str | None) -> list[str]:
    """Return the options for spans of the requests that bring a trace, and of no others."""
    if otlp_endpoint is None:
        return []
    url = f"{otlp_endpoint.rstrip('/')}/v1/traces"
    settings = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=0",
        f"opentelemetry,url={url}",
        "opentelemetry,resource=service.name=neurosense-triton",
    )
    return [f"--trace-config={setting}" for setting in settings]


def _caching(response_cache_mb: int) -> list[str]:
    if not response_cache_mb:
        return []
    return [
        f"--cache-directory={wheel_folder() / 'caches'}",
        f"--cache-config=local,size={response_cache_mb * 2**20}",
    ]
