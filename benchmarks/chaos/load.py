"""An open-loop load on the public API that keeps what became of every single request."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle

from benchmarks.chaos.outcome import Outcome, outcome_of
from benchmarks.http_connection import Connections
from benchmarks.http_requests import Request


class Load:
    """Sends at a fixed rate, however slow the answers, until it is told to stop."""

    def __init__(self, url: str, requests: Sequence[Request], rate_per_s: float, limit_s: float):
        self._connections = Connections(url)
        self._order = cycle(requests)
        self._period_s = 1 / rate_per_s
        self._limit_s = limit_s
        self._stopping = asyncio.Event()
        self._outcomes: list[Outcome] = []

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def run(self) -> list[Outcome]:
        """Send until `stop`, then wait for the last answers; return what became of each."""
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._stopping.is_set():
            task = asyncio.create_task(self._ask(next(self._order)))
            running.add(task)
            task.add_done_callback(running.discard)
            due += self._period_s
            await asyncio.sleep(due - time.monotonic())
        await asyncio.gather(*running)
        self._connections.close()
        return self._outcomes

    async def _ask(self, request: Request) -> None:
        sent = time.monotonic()
        try:
            async with asyncio.timeout(self._limit_s):
                answer = await self._connections.post(request)
        except TimeoutError:
            outcome = Outcome(sent, time.monotonic(), None, "late")
        except OSError as error:
            outcome = Outcome(sent, time.monotonic(), None, type(error).__name__)
        else:
            outcome = outcome_of(sent, time.monotonic(), answer.status, answer.headers, answer.body)
        self._outcomes.append(outcome)
