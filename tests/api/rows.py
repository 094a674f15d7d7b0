"""Rows of the log for tests, and what became of them."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg

from api.database import Database
from api.rows import Row


def a_row(created_at: datetime | None = None, **columns: Any) -> Row:
    """Return a row as the API makes it, with what a test wants otherwise."""
    return {
        "id": str(uuid.uuid4()),
        "created_at": (created_at or datetime.now(UTC)).isoformat(),
        "modality": "text",
        "top_emotion": "JOY",
        "confidence": 0.5,
        "all_scores": {"JOY": 0.5, "FEAR": 0.5},
        "latency_ms": 1.5,
        "fusion_weights": {"text": 1.0, "audio": 0.0},
        "degraded": None,
        "models": {"text": {"name": "t", "version": "1", "weights": "starter"}},
        "input_text": None,
        "request_id": None,
        **columns,
    }


def insert(url: str, *rows: Row) -> None:
    """Insert rows as the API does."""

    async def run() -> None:
        database = Database(url, 1, 10)
        await database.open()
        await database.insert(rows)
        await database.close()

    asyncio.run(run())


def partitions(url: str) -> dict[str, int]:
    """Return how many rows each partition holds."""
    query = """SELECT inhrelid::regclass::text, (SELECT count(*) FROM emotion_logs
               WHERE emotion_logs.tableoid = inhrelid)
               FROM pg_inherits WHERE inhparent = 'emotion_logs'::regclass"""
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query).fetchall())
