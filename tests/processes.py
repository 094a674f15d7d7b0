"""A running system's processes; some come and go by themselves, as PostgreSQL's workers do."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import psutil

T = TypeVar("T")


def family(pid: int) -> list[psutil.Process]:
    """The process and all below it."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def each(
    processes: list[psutil.Process], ask: Callable[[psutil.Process], T]
) -> Iterator[tuple[psutil.Process, T]]:
    """Every process with what it answers, without those that ended since they were listed."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            yield process, ask(process)


def still_runs(process: psutil.Process) -> bool:
    """Say whether it does: one that has ended may wait for a slow init process to notice."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def listening(pid: int) -> set[tuple[str, str]]:
    """Name and address of each process of the family that takes TCP connections."""

    def asked(process: psutil.Process) -> list[tuple[str, str]]:
        return [
            (process.name(), connection.laddr.ip.removeprefix("::ffff:"))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]

    return {pair for _, pairs in each(family(pid), asked) for pair in pairs}
