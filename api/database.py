"""The log's database: every action has a time-out, and a problem is a word, not an exception.

Nothing here needs a session of its own (no prepared statement, no SET, no lock outside a
transaction), so that poolers like PgBouncer and Supabase's may stand in between.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from psycopg import AsyncConnection, DataError, Error, IntegrityError, OperationalError
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from api.migrations import migrate, pending
from api.row_connection import ADD, RowConnection
from api.rows import Row

logger = logging.getLogger("neurosense.api")

CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,  # poolers hand every statement to another session
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,  # ms; else a database that vanished holds connections for minutes
    "application_name": "neurosense-api",
}
_ADD = ADD.format("%s").encode()

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
        self._url = url
        self.timeout_s = timeout_s
        self._for_rows: RowConnection | None = None
        self._pool = _pool(url, max(1, connections - 1), timeout_s)

    async def open(self) -> None:
        """Let connections be made; waits for none."""
        await self._pool.open()

    async def close(self) -> None:
        """Close them."""
        if self._for_rows is not None:
            self._for_rows.close()
        await self._pool.close(timeout=2)

    async def migrate(self, timeout_s: float) -> list[str]:
        """Bring the tables up to date; MigrationError if this role may not."""
        lacking = await self.run(pending, _ASKING_S)
        return await self.run(migrate, timeout_s) if lacking else []

    async def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows, all or none; those that are there already stay as they are.

        One attempt: whoever has a spool need not wait for a database that is coming back.

        Raises:
            DatabaseError: it failed, or gave no answer in time; they may be there all the same.
        """
        with _told():
            async with asyncio.timeout(self.timeout_s):
                if self._for_rows is None or self._for_rows.closed:
                    connection = await AsyncConnection.connect(self._url, **CONNECTION)
                    self._for_rows = RowConnection(connection)
                await self._for_rows.add(rows)

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
        task = asyncio.create_task(self._on_connection(action, attempts))
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s or self.timeout_s)
        finally:
            if not task.done():
                # To cancel a statement takes long where the database hangs. Nobody waits for it.
                task.add_done_callback(_forget)
                task.cancel()
        with _told():
            if not done:
                raise TimeoutError
            if task.cancelled():  # not by us
                raise DatabaseError("cancelled")
            return task.result()

    async def _on_connection(
        self, action: Callable[[AsyncConnection], Awaitable[_T]], attempts: int
    ) -> _T:
        try:
            async with self._pool.connection() as connection:
                return await action(connection)
        except OperationalError:
            if attempts == 1:
                raise
            await self._pool.check()  # it was restarted: all old connections are dead
            return await self._on_connection(action, attempts - 1)


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


@contextmanager
def _told() -> Iterator[None]:
    """Tell of an error by its kind."""
    try:
        yield
    except TimeoutError:
        raise DatabaseError("no answer in time") from None
    except (DataError, IntegrityError) as error:
        raise BadRowsError(_kind(error)) from None
    except Error as error:
        raise DatabaseError(_kind(error)) from None


def _kind(error: Error) -> str:
    """Return a word for an error; its own text may quote a row."""
    return f"{type(error).__name__} {error.sqlstate or ''}".strip()


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio complains that nobody looked
