"""The prediction log: an answer goes out only when its row is on a disk.

Rows that wait are written together, in one statement. What the database does not take in time
goes to the spool on this machine, and from there to the database when it is back; `id` and
`created_at` are the key, so a row that is sent twice is there once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from api.database import LARGEST_GROUP, BadRowsError, Database, DatabaseError
from api.errors import UnavailableError
from api.metrics import Metrics
from api.migrations import MigrationError
from api.recovery import Recovery, reason
from api.rows import Row
from api.spool import Spool

logger = logging.getLogger("neurosense.api")

LogState = Literal["ok", "degraded", "full"]

_RETRY_S = 1.0
_FIRST_MIGRATION_S = 60.0
_MIGRATION_S = 3600.0
"""An index over a long log takes its time. The start does not wait for it; rows go to the spool."""

_UPKEEP_S = 6 * 3600.0
_UPKEEP_AGAIN_S = 60.0
_PATIENCE_S = 10.0
"""How long a row may wait beyond what the database is given, for a group before it and a disk."""


class _Waiting(NamedTuple):
    row: Row
    stored: asyncio.Future[None]


class PredictionLog:
    """Made outside, opened and used inside one event loop."""

    def __init__(
        self, database: Database, spool: Spool, keep_months: int, metrics: Metrics
    ) -> None:
        self.database = database
        self.spool = spool
        self._recovery = Recovery(database, spool, keep_months)
        self._metrics = metrics
        metrics.spool(spool.size_bytes, spool.rejected.size_bytes)
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: str | None = "not opened yet"  # why rows go to the spool, or None
        self._patience_s = 2 * database.timeout_s + _PATIENCE_S

    async def open(self) -> None:
        """Start writing; a database that is away leaves the log degraded until it is back.

        Raises:
            OSError: the spool's folder cannot be written.
            MigrationError: the database is not as this version needs it.
        """
        await asyncio.to_thread(self.spool.open)
        await self.database.open()
        try:
            await self._prepare(_FIRST_MIGRATION_S)
        except DatabaseError as error:
            self._spool_because(f"DATABASE_URL cannot be used: {error}")
        except MigrationError as error:
            logger.critical("%s", error)
            await self.database.close()
            raise
        upkept = self._trouble is None and await self._recovery.upkeep()
        loops = (self._write(), self._recover(), self._tend(upkept=upkept))
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def close(self) -> None:
        """Store what waits, and stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while self._waiting:
                    await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.spool.finish_segment)
        await self.database.close()

    async def write(self, row: Row) -> None:
        """Return when the row is durable.

        Raises:
            UnavailableError: `log_unavailable`, neither the database nor the spool takes it (in
                time: then it may be stored all the same).
        """
        waiting = _Waiting(row, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        try:
            async with asyncio.timeout(self._patience_s):
                await waiting.stored
        except TimeoutError:
            logger.error("a row was not stored in time")
            raise _unavailable() from None

    async def forget_rejected(self, prediction: UUID) -> int:
        """Remove what this machine keeps of a prediction that the database never took."""
        return await asyncio.to_thread(self.spool.rejected.forget, prediction)

    async def state(self, timeout_s: float) -> LogState:
        """Return how the log is: ok, degraded (rows go to the spool) or full (no row goes)."""
        if self._trouble is None:
            with contextlib.suppress(DatabaseError):
                await self.database.ping(timeout_s)
                if not await self.spools():
                    return "ok"
        return "full" if await asyncio.to_thread(self.spool.is_full) else "degraded"

    async def spools(self) -> bool:
        """Return whether rows wait in the spool, or go there; the database is not asked."""
        return self._trouble is not None or bool(await asyncio.to_thread(self.spool.size_bytes))

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while group := self._waiting[:LARGEST_GROUP]:
                started_s = time.perf_counter()
                problem = await self._store([waiting.row for waiting in group])
                if problem is None:
                    self._metrics.log_written(len(group), time.perf_counter() - started_s)
                # Only now: close() waits until nothing waits any more.
                del self._waiting[: len(group)]
                for waiting in group:
                    _tell(waiting.stored, problem)

    async def _store(self, rows: Sequence[Row]) -> UnavailableError | None:
        """Return why rows are not stored. Whatever goes wrong, the task that calls this goes on."""
        try:
            if self._trouble is None:
                await self.database.insert(rows)
                return None
        except BadRowsError as error:
            logger.error("the database refuses rows, they go to the spool: %s", error)
        except Exception as error:  # noqa: BLE001  this task must go on, whatever it is
            self._spool_because(reason(error))
        try:
            await asyncio.to_thread(self.spool.append, rows)
        except Exception as error:  # noqa: BLE001
            logger.error("the spool does not take rows: %s", reason(error))
            return _unavailable()
        return None

    async def _recover(self) -> None:
        """Every second: come back from the spool."""
        while True:
            await asyncio.sleep(_RETRY_S)
            try:
                await self._prepare(_MIGRATION_S)
            except Exception as error:  # noqa: BLE001
                self._spool_because(reason(error))

    async def _prepare(self, migration_s: float) -> None:
        """Have a database that is up to date and holds what was spooled."""
        if self._trouble:
            await self._recovery.migrate(migration_s)
        # Before rows go straight to it again: it may answer, and still not take any.
        await self._recovery.drain()
        self._trouble = None
        self._metrics.log_degraded(degraded=False)

    async def _tend(self, *, upkept: bool) -> None:
        """Keep the tables up; where that must wait for somebody who reads, a little later."""
        while True:
            await asyncio.sleep(_UPKEEP_S if upkept else _UPKEEP_AGAIN_S)
            upkept = await self._recovery.upkeep()

    def _spool_because(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.error("rows go to the spool: %s", trouble)
        self._trouble = trouble
        self._metrics.log_degraded(degraded=True)


def _unavailable() -> UnavailableError:
    return UnavailableError("log_unavailable", "the prediction log is not available")


def _tell(stored: asyncio.Future[None], problem: UnavailableError | None) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):  # nobody waits any more
        if problem is None:
            stored.set_result(None)
        else:
            stored.set_exception(problem)
