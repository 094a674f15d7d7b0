"""The log's tables, as an ordered list of steps; each runs once in a database's life."""

from psycopg import AsyncConnection

MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "0001 emotion_logs",
        """
        CREATE TABLE emotion_logs (
            id uuid PRIMARY KEY,
            created_at timestamptz NOT NULL DEFAULT now(),
            modality text NOT NULL,
            top_emotion text NOT NULL,
            confidence double precision NOT NULL,
            all_scores jsonb NOT NULL,
            latency_ms double precision NOT NULL,
            fusion_weights jsonb NOT NULL,
            degraded jsonb,
            models jsonb NOT NULL,
            input_text text
        );
        CREATE INDEX emotion_logs_created_at ON emotion_logs (created_at);
        COMMENT ON COLUMN emotion_logs.latency_ms IS
            'as in the answer: from the request''s headers to the prediction, before this insert';
        COMMENT ON COLUMN emotion_logs.input_text IS
            'only with NEUROSENSE_STORE_INPUT_TEXT=true; NUL, which text cannot hold, as U+2400';
        """,
    ),
)
"""Append only: what has run somewhere is never edited."""

_LOCK = 0x4E53_454E  # any constant; no other program locks this one in our database


async def migrate(connection: AsyncConnection) -> list[str]:
    """Run what has not run yet, all or nothing; return the names.

    Several replicas may start at once: one runs the steps, the others wait for it.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS neurosense_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await (await connection.execute("SELECT name FROM neurosense_migrations")).fetchall()
        done = {row[0] for row in rows}
        pending = [(name, sql) for name, sql in MIGRATIONS if name not in done]
        for name, sql in pending:
            await connection.execute(sql.encode())
            await connection.execute("INSERT INTO neurosense_migrations VALUES (%s)", [name])
    return [name for name, _ in pending]
