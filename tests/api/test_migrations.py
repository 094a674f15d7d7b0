import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from api import migrations
from api.migrations import MIGRATIONS, migrate

NAMES = [name for name, _ in MIGRATIONS]


async def run(url: str) -> list[str]:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        return await migrate(connection)


def columns(url: str) -> dict[str, tuple[Any, ...]]:
    query = """SELECT column_name, data_type, is_nullable FROM information_schema.columns
               WHERE table_name = 'emotion_logs' AND table_schema = current_schema"""
    with psycopg.connect(url) as connection:
        return {row[0]: row[1:] for row in connection.execute(query).fetchall()}


def test_from_blank_and_again(database_url: str) -> None:
    assert asyncio.run(run(database_url)) == NAMES
    assert asyncio.run(run(database_url)) == []
    assert columns(database_url) == {
        "id": ("uuid", "NO"),
        "created_at": ("timestamp with time zone", "NO"),
        "modality": ("text", "NO"),
        "top_emotion": ("text", "NO"),
        "confidence": ("double precision", "NO"),
        "all_scores": ("jsonb", "NO"),
        "latency_ms": ("double precision", "NO"),
        "fusion_weights": ("jsonb", "NO"),
        "degraded": ("jsonb", "YES"),
        "models": ("jsonb", "NO"),
        "input_text": ("text", "YES"),
    }


def test_several_replicas_at_once(database_url: str) -> None:
    async def together() -> list[list[str]]:
        return await asyncio.gather(*(run(database_url) for _ in range(8)))

    ran = asyncio.run(together())
    assert sorted(ran) == sorted([NAMES] + [[]] * 7)


def test_a_later_step_runs_alone_and_a_failing_one_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(run(database_url))
    more = ("next", "CREATE TABLE more (x int)")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, more, ("bad", "SELECT nonsense")))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        asyncio.run(run(database_url))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, more))
    assert asyncio.run(run(database_url)) == ["next"]
