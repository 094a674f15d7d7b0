"""The log's tables, as ordered files of SQL; each runs once in a database's life.

Append only: what has run somewhere is never edited.
"""

from pathlib import Path

from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege

_FOLDER = Path(__file__).parent
_LOCK = 0x4E53_454E  # any constant; no other program locks this one in our database


class MigrationError(RuntimeError):
    """The database is not as this version needs it; the text says what to do."""


def migrations() -> list[tuple[str, str]]:
    """Return each migration's name (0001 emotion_logs) and SQL, in order."""
    files = sorted(_FOLDER.glob("*.sql"))
    return [(file.stem.replace("_", " ", 1), file.read_text("utf-8")) for file in files]


async def migrate(connection: AsyncConnection) -> list[str]:
    """Run what has not run yet, all or nothing; return the names.

    Several replicas may start at once: one runs the steps, the others wait for it.

    Raises:
        MigrationError: something is to be run, and this role may not.
    """
    lacking = await pending(connection)
    if not lacking:
        return []
    try:
        async with connection.transaction():
            return await _run(connection)
    except InsufficientPrivilege:
        raise MigrationError(
            f"the database lacks {', '.join(lacking)}, and this role may not add it: run "
            "`python -m api.migrations` with the owner's DATABASE_URL"
        ) from None


async def pending(connection: AsyncConnection) -> list[str]:
    """Return what has not run, by what a role without rights on the tables may see."""
    found = await connection.execute("SELECT to_regprocedure('neurosense_migrated()') IS NOT NULL")
    done = set()
    if (await found.fetchone() or [False])[0]:
        done = {row[0] async for row in await connection.execute("SELECT neurosense_migrated()")}
    return [name for name, _ in migrations() if name not in done]


async def _run(connection: AsyncConnection) -> list[str]:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS neurosense_migrations"
        " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    await connection.execute("ALTER TABLE neurosense_migrations ENABLE ROW LEVEL SECURITY")
    rows = await (await connection.execute("SELECT name FROM neurosense_migrations")).fetchall()
    done = {row[0] for row in rows}
    steps = [(name, sql) for name, sql in migrations() if name not in done]
    for name, sql in steps:
        await connection.execute(sql.encode())
        await connection.execute("INSERT INTO neurosense_migrations VALUES (%s)", [name])
    return [name for name, _ in steps]
