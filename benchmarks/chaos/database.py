"""The harness' own PostgreSQL: can be killed and kept away, locked, or made read-only."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import psycopg

from benchmarks.chaos import processes
from serving.postgres import Postgres


class Database:
    """A started Postgres, reached by the harness directly, by the API through a proxy."""

    def __init__(self, postgres: Postgres, url: str) -> None:
        self._postgres = postgres
        self._url = url

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its backends, which have groups of their own."""
        assert self._postgres.child is not None  # noqa: S101  it was started
        processes.send(processes.family(self._postgres.child.pid), number)

    async def start(self) -> None:
        """Start it again, on the same socket."""
        self._postgres.launch()  # in the main thread: a child ends with the thread that made it
        await asyncio.to_thread(self._postgres.wait_until_ready)

    async def set_read_only(self, read_only: bool) -> None:
        """Let it refuse every write, or no more."""
        value = "on" if read_only else "off"
        await self.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await self.execute("SELECT pg_reload_conf()")

    async def execute(self, statement: str) -> None:
        """Run a statement of the harness' own."""
        async with await self._connected() as connection:
            await connection.execute(statement.encode())

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the log's table locked: whoever writes waits."""
        async with await self._connected() as connection, connection.transaction():
            await connection.execute("LOCK TABLE emotion_logs IN ACCESS EXCLUSIVE MODE")
            yield

    async def rows(self, ids: Iterable[str]) -> tuple[Counter[str], dict[str, str]]:
        """Return how often each of these ids is in the log, and the top emotion there."""
        async with await self._connected() as connection:
            cursor = await connection.execute(
                "SELECT id::text, top_emotion FROM emotion_logs WHERE id = ANY(%s::uuid[])",
                [list(ids)],
            )
            found = await cursor.fetchall()
        return Counter(row[0] for row in found), dict(found)

    async def _connected(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
