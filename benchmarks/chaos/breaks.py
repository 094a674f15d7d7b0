"""What is done to the running service, and undone after a while."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.chaos import processes
from benchmarks.chaos.errors import ChaosError
from benchmarks.chaos.load import Load
from benchmarks.chaos.mix import mixed_requests
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.system import CLIENT_LIMIT_S, System
from benchmarks.chaos.waiting import within

Break = Callable[[System, float], Awaitable[Sequence[Outcome] | None]]
"""Breaks something, and mends it after some seconds unless the service is to do that itself.

Returns what became of the requests that it sent, if it sent any: they count like the others.
"""
Pids = Callable[[System], list[int]]
_Line = Callable[[System], Proxy]
_FLOOD_PER_S = 200.0
_NOTICED_S = 30.0
_REFILLED_S = 0.05
_LATE_S = 1.0
"""A second on each way is twice NEUROSENSE_LOG_TIMEOUT_S."""


def kill(chosen: Pids) -> Break:
    """Return what kills processes; the service starts them again."""

    async def breaks(system: System, _: float) -> None:
        processes.send(chosen(system), signal.SIGKILL)

    return breaks


def pause(chosen: Pids) -> Break:
    """Return what stops processes for a while (SIGSTOP)."""

    async def breaks(system: System, hold_s: float) -> None:
        pids = chosen(system)
        processes.send(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(hold_s)
        finally:
            processes.send(pids, signal.SIGCONT)

    return breaks


async def flood(system: System, hold_s: float) -> Sequence[Outcome]:
    """Send far more than the service can do, for a while."""
    load = Load(system.url, mixed_requests(), _FLOOD_PER_S, CLIENT_LIMIT_S)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(hold_s)
    load.stop()
    return await running


def cut(line: _Line) -> Break:
    """Return what resets a line and refuses new connections for a while."""

    async def breaks(system: System, hold_s: float) -> None:
        line(system).cut()
        await asyncio.sleep(hold_s)
        await line(system).open()

    return breaks


def silence(line: _Line) -> Break:
    """Return what lets nothing through a line for a while."""

    async def breaks(system: System, hold_s: float) -> None:
        line(system).silence()
        await asyncio.sleep(hold_s)
        line(system).speak()

    return breaks


async def slow_database(system: System, hold_s: float) -> None:
    """Let PostgreSQL do all that it is asked, and its answers come too late for the API."""
    system.postgres.delay_s = _LATE_S
    await asyncio.sleep(hold_s)
    system.postgres.delay_s = 0.0


async def kill_database(system: System, hold_s: float) -> None:
    """Kill PostgreSQL and keep it away."""
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s)
    await system.database.start()


async def kill_database_and_api(system: System, hold_s: float) -> None:
    """Kill PostgreSQL, and the API while rows gather in its spool."""
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)  # rows gather in the spool
    processes.send([processes.api(system.serve.pid)], signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)
    await system.database.start()


async def fill_disk(system: System, hold_s: float) -> None:
    """Kill PostgreSQL, and fill the disk of the spool while rows gather in it."""
    assert system.disk is not None  # noqa: S101  else this fault is left out
    system.database.signal(signal.SIGKILL)
    await asyncio.sleep(hold_s / 2)
    full_until_s = time.monotonic() + hold_s / 2
    while time.monotonic() < full_until_s:  # recordings in work give their room back
        system.disk.fill()
        await asyncio.sleep(_REFILLED_S)
    system.disk.free()
    await system.database.start()


async def fill_database_disk(system: System, hold_s: float) -> None:
    """Fill the disk of PostgreSQL's tables, and hold it once a row has found no place.

    Raises:
        ChaosError: all rows found one.
    """
    assert system.database.disk is not None  # noqa: S101  else this fault is left out
    system.database.disk.fill()
    noticed = await within(_NOTICED_S, system.spools)
    await asyncio.sleep(hold_s)
    system.database.disk.free()
    if not noticed:
        raise ChaosError("the disk of PostgreSQL was full, and the log wrote on")


async def read_only(system: System, hold_s: float) -> None:
    """Let PostgreSQL refuse writes."""
    await system.database.set_read_only(True)
    await asyncio.sleep(hold_s)
    await system.database.set_read_only(False)


async def lock(system: System, hold_s: float) -> None:
    """Let every writer of the log wait."""
    async with system.database.locked():
        await asyncio.sleep(hold_s)


async def pause_database(system: System, hold_s: float) -> None:
    """Stop PostgreSQL and all its backends (SIGSTOP)."""
    system.database.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(hold_s)
    finally:
        system.database.signal(signal.SIGCONT)


def api(system: System) -> list[int]:
    """Choose the API's process."""
    return [processes.api(system.serve.pid)]


def api_family(system: System) -> list[int]:
    """Choose the API's process and its helpers."""
    return processes.family(processes.api(system.serve.pid))


def triton(system: System) -> list[int]:
    """Choose Triton's process."""
    return [processes.triton(system.serve.pid)]


def triton_family(system: System) -> list[int]:
    """Choose Triton's process and those of its steps."""
    return processes.family(processes.triton(system.serve.pid))


def step(model: str) -> Pids:
    """Choose the process of one of Triton's models."""
    return lambda system: [processes.step(system.serve.pid, model)]
