"""One connection pool that sends encoded requests and notes what became of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop

from benchmarks.http_connection import Connections
from benchmarks.http_requests import Request

_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Sample:
    """What became of one request; times are those of `time.perf_counter`."""

    due: float
    """When it was to be sent."""
    done: float
    error: str | None
    """Why it was not answered with 200."""
    audio_seconds: float


Send = Callable[[Request, float], Awaitable[Sample]]
"""Sends a request that is due at a time, now or earlier."""
Load = Callable[[Send, float], Awaitable[list[Sample]]]
"""Sends many, from a beginning on."""


def run(url: str, load: Load) -> tuple[float, list[Sample]]:
    """Return when `load` began, and what became of its requests to the server at `url`."""
    return uvloop.run(_run(url, load))


async def _run(url: str, load: Load) -> tuple[float, list[Sample]]:
    connections = Connections(url)

    async def send(request: Request, due: float) -> Sample:
        error = await _post(connections, request)
        return Sample(due, time.perf_counter(), error, request.audio_seconds)

    begin = time.perf_counter()
    samples = await load(send, begin)
    connections.close()
    return begin, samples


async def _post(connections: Connections, request: Request) -> str | None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await connections.post(request)
    except OSError as error:  # a TimeoutError is one
        return f"{type(error).__name__}: {error}"
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
    return None
