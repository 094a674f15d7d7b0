"""The log's database: every action has a time-out, and a problem is a word, not an exception.

Nothing here needs a session of its own (no prepared statement, no SET, no lock outside a
transaction), so that poolers like PgBouncer and Supabase's may stand in between.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from psycopg import (
    AsyncConnection,
    AsyncCursor,
    DataError,
    Error,
    IntegrityError,
    OperationalError,
)
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from api.migrations import migrate, pending
from api.rows import Row

logger = logging.getLogger("neurosense.api")

CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,  # poolers hand every statement to another session
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,  # ms; else a database that vanished holds connections for minutes
    "application_name": "neurosense-api",
}
_ADD = "SELECT neurosense_add(%s)"
"""A function, so that the database keeps its plan: what is not prepared is planned each time.

A proxy that tells reads from writes by their text must be told that this one writes.
"""

LARGEST_GROUP = 500
"""How many rows go into one statement."""

_SPOOLED_S = 30.0
"""How long rows from the spool may take, for which nobody waits: the line may be slow."""

_ASKING_S = 5.0
"""How long to wait for which migrations ran: a database that hangs holds up nothing for longer."""

_UPKEEP_S = 60.0
_LOCK_MS = 300
"""How long upkeep waits for a lock: rows wait behind it, and go to the spool where that is long."""

_T = TypeVar("_T")


class DatabaseError(Exception):
    """The database did not do it (or not in time); the text is a kind and quotes no data."""


class BadRowsError(DatabaseError):
    """The database works, and will never take these rows."""


class Database:
    """Connections to one database; one of them is there for rows that are waited for."""

    def __init__(self, url: str, connections: int, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._for_rows = _ForRows(url)
        self._pool = _pool(url, max(1, connections - 1), timeout_s)

    async def open(self) -> None:
        """Let connections be made; waits for none."""
        await self._pool.open()

    async def close(self) -> None:
        """Close them."""
        await self._for_rows.close()
        await self._pool.close(timeout=2)

    async def migrate(self, timeout_s: float) -> list[str]:
        """Bring the tables up to date; MigrationError if this role may not."""
        lacking = await self.run(pending, _ASKING_S)
        return await self.run(migrate, timeout_s) if lacking else []

    async def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows, all or none; those that are there already stay as they are.

        One attempt: whoever has a spool need not wait for a database that is coming back.
        """
        await self._in_time(self._for_rows.insert(rows), self.timeout_s)

    async def insert_spooled(self, rows: Sequence[Row]) -> None:
        """The same for rows that nobody waits for."""
        adding = [Jsonb(rows)]
        await self.run(lambda connection: connection.execute(_ADD, adding), _SPOOLED_S, attempts=1)

    async def upkeep(self, keep_months: int) -> None:
        """Make partitions for the months ahead, drop those that expired (0: none)."""

        async def keep(connection: AsyncConnection) -> None:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}".encode())
                await connection.execute("SELECT neurosense_upkeep(%s)", [keep_months])

        await self.run(keep, _UPKEEP_S, attempts=1)

    async def ping(self, timeout_s: float) -> None:
        """Return if the database answers."""
        await self.run(lambda connection: connection.execute("SELECT 1"), timeout_s)

    async def run(
        self,
        action: Callable[[AsyncConnection], Awaitable[_T]],
        timeout_s: float | None = None,
        attempts: int = 2,
    ) -> _T:
        """Return what an action on a connection does; the second attempt has a fresh one.

        Raises:
            DatabaseError: it failed, or gave no answer in time; it may be done all the same.
        """
        doing = self._on_connection(action, attempts)
        return await self._in_time(doing, timeout_s or self.timeout_s)

    async def _in_time(self, doing: Coroutine[Any, Any, _T], timeout_s: float) -> _T:
        """Return what is done; cancelling a statement takes long where the database hangs.

        Nobody waits for that.
        """
        task = asyncio.create_task(doing)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        finally:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()
        if not done:
            raise DatabaseError("no answer in time")
        if task.cancelled():  # not by us
            raise DatabaseError("cancelled")
        try:
            return task.result()
        except (DataError, IntegrityError) as error:
            raise BadRowsError(_kind(error)) from None
        except Error as error:
            raise DatabaseError(_kind(error)) from None

    async def _on_connection(
        self, action: Callable[[AsyncConnection], Awaitable[_T]], attempts: int
    ) -> _T:
        try:
            async with self._pool.connection() as connection:
                return await action(connection)
        except OperationalError:
            if attempts == 1:
                raise
            # It was restarted: all old connections are dead.
            await self._for_rows.close()
            await self._pool.check()
            return await self._on_connection(action, attempts - 1)


class _ForRows:
    """The connection for rows: made when one comes, and given up when anything goes wrong.

    Always the same one: a pool takes its own in turn, and each has to find its plans and tables in
    the processor's caches, from where the models have driven them. To borrow one from a pool also
    takes a quarter of the processor time that a row takes of the API.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: AsyncCursor | None = None

    async def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows; psycopg's errors."""
        # Out of reach meanwhile: if this is cancelled, whoever comes next needs another one.
        cursor, self._idle = self._idle, None
        if cursor is None:
            cursor = (await AsyncConnection.connect(self._url, **CONNECTION)).cursor()
        try:
            await cursor.execute(_ADD, [Jsonb(rows)])
        except BaseException:
            await cursor.connection.close()
            raise
        self._idle = cursor

    async def close(self) -> None:
        """Close it, if it is there; the next row has a new one."""
        cursor, self._idle = self._idle, None
        if cursor is not None:
            await cursor.connection.close()


def _pool(url: str, connections: int, timeout_s: float) -> AsyncConnectionPool:
    return AsyncConnectionPool(
        url,
        kwargs=CONNECTION,
        min_size=1,
        max_size=connections,
        timeout=timeout_s,
        reconnect_timeout=5,  # then the next action tries anew, instead of ever rarer tries
        open=False,
    )


def _kind(error: Error) -> str:
    """Return a word for an error; its own text may quote a row."""
    return f"{type(error).__name__} {error.sqlstate or ''}".strip()


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio complains that nobody looked
