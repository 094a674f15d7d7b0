"""The prediction log: one row for every answer, committed before the answer goes out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from psycopg import AsyncConnection, Error, OperationalError
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from api.errors import UnavailableError
from api.migrations import migrate
from api.models import Branch
from api.schemas import Answer

logger = logging.getLogger("neurosense.api")

_INSERT = """
    INSERT INTO emotion_logs (id, modality, top_emotion, confidence, all_scores, latency_ms,
                              fusion_weights, degraded, models, input_text)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""
_CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,  # poolers such as pgbouncer hand every statement to another session
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,  # ms; else a database that vanished holds connections for minutes
    "application_name": "neurosense-api",
}
_NUL_STAND_IN = "\u2400"


class PredictionLog:
    """Writes rows; a database that goes away costs answers only until it is back."""

    def __init__(self, url: str, connections: int, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._pool = AsyncConnectionPool(
            url,
            kwargs=_CONNECTION,
            min_size=1,
            max_size=connections,
            timeout=timeout_s,
            reconnect_timeout=5,  # then the next request tries anew, instead of ever rarer tries
            open=False,
        )

    async def open(self, start_timeout_s: float) -> None:
        """Bring the tables up to date and open the pool.

        Raises:
            OperationalError: no database within `start_timeout_s`.
        """
        await _migrate(self._url, time.monotonic() + start_timeout_s)
        await self._pool.open()

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def write(
        self, answer: Answer, fusion_weights: Mapping[Branch, float], input_text: str | None
    ) -> None:
        """Commit an answer's row.

        Raises:
            UnavailableError: `log_unavailable`, within the time-out. If the database is only slow
                the row may be there all the same.
        """
        row = _row(answer, fusion_weights, input_text)
        problem = await self._attempt(lambda connection: connection.execute(_INSERT, row))
        if problem:
            logger.error("the prediction log cannot be written: %s", problem)
            raise UnavailableError("log_unavailable", "the prediction log is not available")

    async def missing(self, timeout_s: float) -> list[str]:
        """Return what is not ready, empty if the database answers in time."""
        attempt = self._attempt(lambda connection: connection.execute("SELECT 1"), timeout_s)
        return ["database"] if await attempt else []

    async def _attempt(
        self,
        action: Callable[[AsyncConnection], Awaitable[Any]],
        timeout_s: float | None = None,
    ) -> str | None:
        """Run an action; return the kind of problem, or None. Its text may quote user data.

        Cancelling a statement takes its time if the database hangs: nobody waits for that.
        """
        task = asyncio.create_task(self._run(action))
        done, _ = await asyncio.wait({task}, timeout=timeout_s or self._timeout_s)
        if not done:
            task.add_done_callback(_forget)
            task.cancel()
            return "no answer in time"
        error = task.exception()
        if error is not None and not isinstance(error, Error):
            raise error
        return None if error is None else type(error).__name__

    async def _run(self, action: Callable[[AsyncConnection], Awaitable[Any]]) -> None:
        try:
            async with self._pool.connection() as connection:
                await action(connection)
        except OperationalError:
            await self._pool.check()  # it was restarted: all old connections are dead
            async with self._pool.connection() as connection:
                await action(connection)


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio complains that nobody looked


async def _migrate(url: str, deadline_s: float) -> None:
    while True:
        try:
            async with await AsyncConnection.connect(url, **_CONNECTION) as connection:
                applied = await migrate(connection)
            logger.info("migrations run: %s", ", ".join(applied) or "none, all had")
        except OperationalError as error:
            if time.monotonic() > deadline_s:
                raise OperationalError(f"DATABASE_URL cannot be used: {error}") from None
            await asyncio.sleep(0.5)
        else:
            return


def _row(
    answer: Answer, fusion_weights: Mapping[Branch, float], input_text: str | None
) -> tuple[Any, ...]:
    plain = answer.model_dump(mode="json")
    degraded = plain["degraded"]
    return (
        answer.id,
        answer.modality,
        answer.top_emotion,
        answer.confidence,
        Jsonb(plain["all_scores"]),
        answer.latency_ms,
        Jsonb(dict(fusion_weights)),
        None if degraded is None else Jsonb(degraded),
        Jsonb(plain["models"]),
        None if input_text is None else input_text.replace("\0", _NUL_STAND_IN),
    )
