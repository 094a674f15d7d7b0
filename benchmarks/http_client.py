"""One connection pool that sends encoded requests and notes what became of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from benchmarks.http_requests import Request

_TIMEOUT = aiohttp.ClientTimeout(total=120.0)


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
    return asyncio.run(_run(url, load))


async def _run(url: str, load: Load) -> tuple[float, list[Sample]]:
    # No limit: how many are in flight is what is measured.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, timeout=_TIMEOUT) as session:

        async def send(request: Request, due: float) -> Sample:
            error = await _post(session, request)
            return Sample(due, time.perf_counter(), error, request.audio_seconds)

        begin = time.perf_counter()
        return begin, await load(send, begin)


async def _post(session: aiohttp.ClientSession, request: Request) -> str | None:
    headers = {"content-type": request.content_type}
    try:
        async with session.post(request.path, data=request.body, headers=headers) as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    if response.status != 200:
        return f"status {response.status}: {body[:200].decode(errors='replace')}"
    return None
