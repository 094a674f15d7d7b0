"""From the spool to the database, once each."""

import asyncio
from collections.abc import Sequence

from api.database import BadRowsError, Database
from api.rows import Row
from api.spool import Spool


async def drain(spool: Spool, database: Database, group: int) -> int:
    """Take every segment that no other process writes to; return how many rows they held.

    At most `group` rows go at a time.

    Killed half-way, it has inserted rows that are still in the spool: their key makes the next
    attempt skip them.

    Raises:
        DatabaseError: the database does not take them; what is left stays in the spool.
        OSError: the spool cannot be read.
    """
    if not await asyncio.to_thread(spool.size_bytes):
        return 0
    await asyncio.to_thread(spool.finish_segment)
    taken = 0
    for segment in spool.segments():
        rows = await asyncio.to_thread(spool.read, segment)
        for start in range(0, len(rows), group):
            await _insert(spool, database, rows[start : start + group])
        segment.unlink()
        taken += len(rows)
    return taken


async def _insert(spool: Spool, database: Database, rows: Sequence[Row]) -> None:
    """Insert rows; of those that the database will never take, each is set aside."""
    try:
        await database.insert_spooled(rows)
    except BadRowsError:
        if len(rows) == 1:
            await asyncio.to_thread(spool.set_aside, rows[0])
            return
        half = len(rows) // 2
        await _insert(spool, database, rows[:half])
        await _insert(spool, database, rows[half:])
