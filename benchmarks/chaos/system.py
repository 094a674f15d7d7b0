"""The service under test: `neurosense serve` as users start it, with proxies between its parts."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.chaos import processes
from benchmarks.chaos.database import Database, database_in
from benchmarks.chaos.disk import SmallDisk
from benchmarks.chaos.errors import ChaosError
from benchmarks.chaos.mix import every_kind
from benchmarks.chaos.proxy import Proxy
from benchmarks.http_requests import encode
from benchmarks.inputs import equal_clips
from export.progress import Progress
from serving.ports import free_ports
from serving.process import Child
from serving.settings import PROJECT

REQUEST_TIMEOUT_S = 10
"""What the API gives the models; clients wait CLIENT_LIMIT_S."""
CLIENT_LIMIT_S = 20.0
_START_TIMEOUT_S = 240.0
_STOP_TIMEOUT_S = 30.0
_SPOOL_MB = 16
_SPOOL_MAX_BYTES = 2**22
"""Less than the disk: recordings in work take no room that the spool may still need."""
_PORTS = ("API", "UI", "TRITON_HTTP", "TRITON_GRPC", "TRITON_METRICS")


@dataclass(frozen=True)
class System:
    """A running service, and everything by which it can be broken."""

    url: str
    """Where clients reach the API: over `clients`."""
    api_url: str
    serve: Child
    database: Database
    clients: Proxy
    """Between the clients and the API."""
    triton: Proxy
    """Between the API and Triton."""
    postgres: Proxy
    """Between the API and the database."""
    disk: SmallDisk | None
    """That of the spool; None where this machine allows no small one."""

    @property
    def has_small_disks(self) -> bool:
        """Whether the spool and the log's tables are on disks that can be filled."""
        return self.disk is not None and self.database.disk is not None

    async def healthy(self) -> bool:
        """Whether all is ready, the spool empty, and a request answered in full, by all steps."""
        request = encode("multimodal", "I love this!", equal_clips(0.5, 1)[0])
        headers = {"content-type": request.content_type}
        try:
            async with httpx.AsyncClient(
                base_url=self.api_url, trust_env=False, timeout=3
            ) as client:
                ready = await client.get("/health/ready")
                answer = await client.post(request.path, content=request.body, headers=headers)
        except httpx.HTTPError:
            return False
        if not ready.is_success or ready.json().get("log", "ok") != "ok":
            return False
        if not answer.is_success or answer.json()["degraded"] is not None:
            return False
        # One of two processes of a step may be lost: the other answers until Triton is replaced.
        return not processes.has_lost_steps(self.serve.pid)

    async def spools(self) -> bool:
        """Whether rows go to the spool."""
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(trust_env=False, timeout=3) as client:
                ready = await client.get(f"{self.api_url}/health/ready")
                return bool(ready.json().get("log") == "degraded")
        return False


@asynccontextmanager
async def running(folder: Path, say: Progress) -> AsyncIterator[System]:
    """Start a service of its own in `folder`; nothing else of it stays afterwards.

    Raises:
        ServingError: it did not start; with the end of its log.
    """
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    async with AsyncExitStack() as stack:
        say("starting PostgreSQL and the service ...")
        database = await stack.enter_async_context(database_in(folder))
        to_postgres = Proxy(lambda: asyncio.open_unix_connection(database.socket))
        to_triton = _to_port(ports["TRITON_GRPC"])
        to_api = _to_port(ports["API"])
        for proxy in (to_postgres, to_triton, to_api):
            await proxy.open()
            stack.callback(proxy.cut)
        variables = {
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{to_postgres.port}/postgres",
            "NEUROSENSE_TRITON_GRPC_URL": f"127.0.0.1:{to_triton.port}",
            **{f"NEUROSENSE_{name}_PORT": str(port) for name, port in ports.items()},
        }
        disk = SmallDisk.allowed(folder / "spool", _SPOOL_MB)
        if disk is not None:
            stack.callback(disk.close)
        serve = _serve(folder, variables, disk)
        stack.callback(serve.stop, _STOP_TIMEOUT_S)
        system = System(
            url=f"http://127.0.0.1:{to_api.port}",
            api_url=f"http://127.0.0.1:{ports['API']}",
            serve=serve,
            database=database,
            clients=to_api,
            triton=to_triton,
            postgres=to_postgres,
            disk=disk,
        )
        await _ready(system)
        await _answers_every_kind(system)
        yield system


def _to_port(port: int) -> Proxy:
    return Proxy(lambda: asyncio.open_connection("127.0.0.1", port))


def _serve(folder: Path, variables: Mapping[str, str], disk: SmallDisk | None) -> Child:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NEUROSENSE_")}
    own = {
        "NEUROSENSE_STATE_DIR": str(folder / "state"),
        "NEUROSENSE_SPOOL_DIR": str(folder / "spool"),
        "NEUROSENSE_SPOOL_MAX_BYTES": str(_SPOOL_MAX_BYTES),
        "NEUROSENSE_WEIGHTS": "starter",
        "NEUROSENSE_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
    }
    command = [sys.executable, "-m", "serving.cli", "serve"]
    return Child(
        "neurosense serve",
        disk.inside(command) if disk else command,
        folder / "serve.log",
        env={**inherited, **own, **variables},
        cwd=PROJECT,
    )


async def _ready(system: System) -> None:
    async with asyncio.timeout(_START_TIMEOUT_S):
        while "Ready." not in system.serve.last_lines():
            system.serve.require_running()
            await asyncio.sleep(0.1)


async def _answers_every_kind(system: System) -> None:
    """Raise ChaosError if a kind of request is refused before anything is broken."""
    kinds = {request.path: request for request in every_kind()}
    async with httpx.AsyncClient(
        base_url=system.url, trust_env=False, timeout=CLIENT_LIMIT_S
    ) as client:
        for path, request in kinds.items():
            headers = {"content-type": request.content_type}
            answer = await client.post(path, content=request.body, headers=headers)
            if not answer.is_success:
                raise ChaosError(f"{path}, with nothing broken: {answer.status_code} {answer.text}")
