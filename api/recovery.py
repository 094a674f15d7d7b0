"""What keeps the log's tables as they should be, and brings rows back from the spool."""

import asyncio
import logging

from api.database import LARGEST_GROUP, Database, DatabaseError
from api.draining import drain
from api.migrations import MigrationError
from api.spool import Spool

logger = logging.getLogger("neurosense.api")


class Recovery:
    """One per log."""

    def __init__(self, database: Database, spool: Spool, keep_months: int) -> None:
        self._database = database
        self._spool = spool
        self._keep_months = keep_months
        self._group = LARGEST_GROUP

    async def migrate(self, timeout_s: float) -> None:
        """Bring the tables up to date; DatabaseError, or MigrationError if this role may not."""
        for name in await self._database.migrate(timeout_s):
            logger.info("migration run: %s", name)

    async def drain(self) -> None:
        """Empty the spool; what fails is tried with fewer rows at a time: the line may be slow.

        Raises:
            DatabaseError: the database does not take them.
            OSError: the spool cannot be read.
        """
        try:
            taken = await drain(self._spool, self._database, self._group)
        except DatabaseError:
            self._group = max(1, self._group // 2)
            raise
        self._group = LARGEST_GROUP
        if taken:
            logger.info("%s rows taken from the spool", taken)

    async def upkeep(self) -> bool:
        """Have tables for the months ahead, and nothing that expired; False to try again soon.

        Without it rows are taken all the same, by the table for the rest.
        """
        try:
            await self._database.upkeep(self._keep_months)
            await asyncio.to_thread(self._spool.rejected.expire, self._keep_months)
        except Exception as error:  # noqa: BLE001  nobody is there to whom it could go on
            logger.warning("the log's upkeep is put off: %s", reason(error))
            return False
        return True


def reason(error: Exception) -> str:
    """Return an error in a line; of one that nobody foresaw its stack is logged, not its text."""
    if isinstance(error, (DatabaseError, MigrationError, OSError)):
        return str(error)
    logger.error("unexpected %s in the log", type(error).__name__, exc_info=error)
    return f"unexpected {type(error).__name__}"
