"""The harness' own PostgreSQL: can be killed and kept away, locked, read-only, or out of space."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.chaos import processes
from benchmarks.chaos.disk import SmallDisk
from serving.postgres import Postgres
from serving.postgres_programs import give_to_server

_DISK_MB = 32


class OnDisk(Postgres):
    """Sees the small disk, if there is one."""

    disk: SmallDisk | None = None

    def _command(self) -> list[str]:
        command = super()._command()
        return command if self.disk is None else self.disk.inside(command)


class Database:
    """A started Postgres, reached by the harness directly, by the API through a proxy."""

    def __init__(self, postgres: OnDisk, url: str) -> None:
        self._postgres = postgres
        self._url = url

    @property
    def disk(self) -> SmallDisk | None:
        """That of its tables; None where this machine allows no small one."""
        return self._postgres.disk

    @property
    def socket(self) -> str:
        """Where it listens."""
        return f"{conninfo_to_dict(self._url)['host']}/.s.PGSQL.5432"

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
        await self.set("default_transaction_read_only", "on" if read_only else "off")

    async def set(self, setting: str, value: str) -> None:
        """Change a setting of the running server."""
        await self.execute(f"ALTER SYSTEM SET {setting} = {value}")
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


@asynccontextmanager
async def database_in(folder: Path) -> AsyncIterator[Database]:
    """Start one in `folder`, whose new tables lie on a small disk where this machine allows one."""
    with ExitStack() as stack:
        postgres = OnDisk(folder / "postgres")
        tables = folder / "tables"
        disk = postgres.disk = SmallDisk.allowed(tables, _DISK_MB)
        if disk is not None:
            stack.callback(disk.close)
            give_to_server(disk.seen)
        database = Database(postgres, stack.enter_context(postgres))
        if disk is not None:
            await database.execute(f"CREATE TABLESPACE small LOCATION '{tables.absolute()}'")
            await database.set("default_tablespace", "small")
        yield database
