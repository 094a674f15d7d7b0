"""`python -m api.migrations`: bring the database at DATABASE_URL up to date.

For a service whose own role may not: run it once, with the owner's URL, before each new version.
"""

import asyncio
import os
import sys

from psycopg import AsyncConnection, Error

from api.database import CONNECTION
from api.migrations import MigrationError, migrate


async def _main(url: str) -> None:
    async with await AsyncConnection.connect(url, **CONNECTION) as connection:
        ran = await migrate(connection)
    print("\n".join(f"ran {name}" for name in ran) or "nothing to do")  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1:]:
        raise SystemExit(__doc__)
    if not os.environ.get("DATABASE_URL"):
        raise SystemExit("DATABASE_URL: set it to the owner's postgresql:// address")
    try:
        asyncio.run(_main(os.environ["DATABASE_URL"]))
    except (Error, MigrationError) as error:
        raise SystemExit(f"DATABASE_URL cannot be used: {error}") from None
