"""An open-loop load on the public API that keeps what became of every single request."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle

import aiohttp

from benchmarks.chaos.outcome import Outcome, outcome_of
from benchmarks.http_requests import Request


class Load:
    """Sends at a fixed rate, however slow the answers, until it is told to stop."""

    def __init__(self, url: str, requests: Sequence[Request], rate_per_s: float, limit_s: float):
        self._url = url
        self._order = cycle(requests)
        self._period_s = 1 / rate_per_s
        self._timeout = aiohttp.ClientTimeout(total=limit_s)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def run(self) -> list[Outcome]:
        """Send until `stop`, then wait for the last answers; return what became of each."""
        # The servers' machine pays for what the client does: nothing that no answer needs.
        async with aiohttp.ClientSession(
            self._url,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding"],
        ) as session:
            tasks: list[asyncio.Task[Outcome]] = []
            due = time.monotonic()
            while not self._stopping.is_set():
                tasks.append(asyncio.create_task(_ask(session, next(self._order))))
                due += self._period_s
                await asyncio.sleep(due - time.monotonic())
            return await asyncio.gather(*tasks)


async def _ask(session: aiohttp.ClientSession, request: Request) -> Outcome:
    sent = time.monotonic()
    headers = {"content-type": request.content_type}
    try:
        async with session.post(request.path, data=request.body, headers=headers) as response:
            body = await response.read()
    except TimeoutError:
        return Outcome(sent, time.monotonic(), None, "late")
    except aiohttp.ClientError as error:
        return Outcome(sent, time.monotonic(), None, type(error).__name__)
    return outcome_of(sent, time.monotonic(), response.status, response.headers, body)
