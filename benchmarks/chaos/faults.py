"""Every way of breaking the service: what is done, and undone after a while."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.chaos import processes
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.system import System

_STEP = "text_tokenizer"  # in the way of every request of the mix
_BACKEND = "text_classifier"

Break = Callable[[System, float], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One way of breaking it; what is held for `hold_s` is mended by the harness."""

    name: str
    what: str
    breaks: Break
    hold_s: float = 0.0
    cuts_clients: bool = False
    """Whether clients may see broken connections: only if the API itself is killed or cut off."""
    needs_small_disk: bool = False


Pids = Callable[[System], list[int]]
_Line = Callable[[System], Proxy]


def _kill(chosen: Pids) -> Break:
    async def breaks(system: System, _: float) -> None:
        processes.send(chosen(system), signal.SIGKILL)

    return breaks


def _pause(chosen: Pids) -> Break:
    async def breaks(system: System, hold_s: float) -> None:
        pids = chosen(system)
        processes.send(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(hold_s)
        finally:
            processes.send(pids, signal.SIGCONT)

    return breaks


def _cut(line: _Line) -> Break:
    async def breaks(system: System, hold_s: float) -> None:
        line(system).cut()
        await asyncio.sleep(hold_s)
        await line(system).open()

    return breaks


def _silence(line: _Line) -> Break:
    async def breaks(system: System, hold_s: float) -> None:
        line(system).silence()
        await asyncio.sleep(hold_s)
        line(system).speak()

    return breaks


async def _kill_database(system: System, hold_s: float) -> None:
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s)
    await system.database.start()


async def _kill_database_and_api(system: System, hold_s: float) -> None:
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)  # rows gather in the spool
    processes.send([processes.api(system.serve.pid)], signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)
    await system.database.start()


async def _fill_disk(system: System, hold_s: float) -> None:
    assert system.disk is not None  # noqa: S101  else this fault is left out
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)
    system.disk.fill()
    await asyncio.sleep(hold_s / 2)
    system.disk.free()
    await system.database.start()


async def _read_only(system: System, hold_s: float) -> None:
    await system.database.set_read_only(True)
    await asyncio.sleep(hold_s)
    await system.database.set_read_only(False)


async def _lock(system: System, hold_s: float) -> None:
    async with system.database.locked():
        await asyncio.sleep(hold_s)


async def _pause_database(system: System, hold_s: float) -> None:
    system.database.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(hold_s)
    finally:
        system.database.signal(signal.SIGCONT)


def _api(system: System) -> list[int]:
    return [processes.api(system.serve.pid)]


def _api_family(system: System) -> list[int]:
    return processes.family(processes.api(system.serve.pid))


def _triton(system: System) -> list[int]:
    return [processes.triton(system.serve.pid)]


def _triton_family(system: System) -> list[int]:
    return processes.family(processes.triton(system.serve.pid))


def _step(model: str) -> Pids:
    return lambda system: [processes.step(system.serve.pid, model)]


_LONG_S, _VERY_LONG_S = 10.0, 30.0
FAULTS = (
    Fault("kill-api", "kill -9 of the API", _kill(_api), cuts_clients=True),
    Fault("kill-triton", "kill -9 of Triton", _kill(_triton)),
    Fault("kill-step", f"kill -9 of the process of {_STEP}", _kill(_step(_STEP))),
    Fault("kill-backend", f"kill -9 of the process of {_BACKEND}", _kill(_step(_BACKEND))),
    Fault("kill-postgres", "kill -9 of PostgreSQL, kept away", _kill_database, _VERY_LONG_S),
    Fault(
        "kill-postgres-api",
        "PostgreSQL killed, then the API while rows are spooled",
        _kill_database_and_api,
        _LONG_S,
        cuts_clients=True,
    ),
    Fault(
        "full-disk",
        "PostgreSQL killed, then the spool's disk full",
        _fill_disk,
        _LONG_S,
        needs_small_disk=True,
    ),
    Fault("read-only-postgres", "PostgreSQL refuses writes", _read_only, _LONG_S),
    Fault("locked-postgres", "the log's table locked", _lock, _LONG_S),
    Fault("pause-api", "SIGSTOP of the API", _pause(_api_family), _LONG_S),
    Fault("pause-triton", "SIGSTOP of Triton and its steps", _pause(_triton_family), _LONG_S),
    Fault("pause-step", f"SIGSTOP of the process of {_STEP}", _pause(_step(_STEP)), _LONG_S),
    Fault("pause-postgres", "SIGSTOP of PostgreSQL", _pause_database, _LONG_S),
    Fault("cut-triton", "API to Triton: refused", _cut(lambda s: s.triton), _LONG_S),
    Fault(
        "silence-triton", "API to Triton: nothing arrives", _silence(lambda s: s.triton), _LONG_S
    ),
    Fault("cut-postgres", "API to PostgreSQL: refused", _cut(lambda s: s.postgres), _LONG_S),
    Fault(
        "silence-postgres",
        "API to PostgreSQL: nothing arrives",
        _silence(lambda s: s.postgres),
        _LONG_S,
    ),
    Fault(
        "cut-clients",
        "clients to API: refused",
        _cut(lambda s: s.clients),
        _LONG_S,
        cuts_clients=True,
    ),
    Fault(
        "silence-clients", "clients to API: nothing arrives", _silence(lambda s: s.clients), _LONG_S
    ),
)
"""In the order in which they are run."""
