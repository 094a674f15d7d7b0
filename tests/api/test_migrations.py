import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api import migrations
from api.migrations import migrate
from tests.api.rows import a_row, insert, partitions

NAMES = [name for name, _ in migrations.migrations()]
OLD_ROW = """
    INSERT INTO emotion_logs (id, created_at, modality, top_emotion, confidence, all_scores,
                              latency_ms, fusion_weights, degraded, models, input_text)
    VALUES (gen_random_uuid(), %s, 'text', 'JOY', 0.5,
            '{"JOY": 0.5}', 1.5, '{"text": 1, "audio": 0}', NULL, '{}', 'hm')"""


async def run(url: str) -> list[str]:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        return await migrate(connection)


def columns(url: str) -> dict[str, tuple[Any, ...]]:
    query = """SELECT column_name, data_type, is_nullable FROM information_schema.columns
               WHERE table_name = 'emotion_logs' AND table_schema = current_schema"""
    with psycopg.connect(url) as connection:
        return {row[0]: row[1:] for row in connection.execute(query).fetchall()}


def test_from_blank_and_again(database_url: str) -> None:
    assert NAMES[:2] == ["0001 emotion_logs", "0002 partitions"]
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
        "request_id": ("text", "YES"),
        "recording_id": ("uuid", "YES"),
        "start_s": ("double precision", "YES"),
        "end_s": ("double precision", "YES"),
        "speaker": ("text", "YES"),
        "track": ("text", "NO"),
        "shadow_of": ("uuid", "YES"),
    }


@pytest.mark.parametrize("version", range(1, len(NAMES)))
def test_rows_of_every_earlier_version_stay(
    database_url: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations.migrations()
    monkeypatch.setattr(migrations, "migrations", lambda: whole[:version])
    assert asyncio.run(run(database_url)) == NAMES[:version]
    months = [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    with psycopg.connect(database_url) as connection:
        connection.cursor().executemany(OLD_ROW, [[month] for month in months])
    before = stored(database_url)
    monkeypatch.setattr(migrations, "migrations", lambda: whole)
    assert asyncio.run(run(database_url)) == NAMES[version:]
    added = {"request_id", "recording_id", "start_s", "end_s", "speaker", "shadow_of"}
    for old, row in zip(before, stored(database_url), strict=True):
        assert row == dict.fromkeys(added) | {"track": "current"} | old
    upkeep(database_url, 0)
    insert(database_url, *(a_row(created_at=month) for month in months))
    counts = {name: rows for name, rows in partitions(database_url).items() if rows}
    # Since they are partitioned, a month that nobody has asked for is in the rest.
    by_month = {"emotion_logs_2025_12": 2, "emotion_logs_2026_01": 2}
    assert counts == (by_month if version == 1 else {"emotion_logs_rest": 4})


def stored(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM emotion_logs ORDER BY created_at").fetchall()


def test_functions_look_nowhere_else(database_url: str) -> None:
    asyncio.run(run(database_url))
    query = """SELECT proname, array_to_string(proconfig, ' ') FROM pg_proc
               WHERE proname LIKE 'neurosense_%' AND pronamespace = current_schema::regnamespace"""
    with psycopg.connect(database_url) as connection:
        [schema] = connection.execute("SELECT current_schema()").fetchone() or [""]
        found: dict[str, str] = dict(connection.execute(query).fetchall())
    assert len(found) == 6
    path = f"search_path={schema}, pg_temp"
    assert found.pop("neurosense_forget") == f"{path} lock_timeout=300ms"
    assert set(found.values()) == {path}


def test_several_replicas_at_once(database_url: str) -> None:
    async def together() -> list[list[str]]:
        return await asyncio.gather(*(run(database_url) for _ in range(8)))

    ran = asyncio.run(together())
    assert sorted(ran) == sorted([NAMES] + [[]] * 7)


def test_a_later_step_runs_alone_and_a_failing_one_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(run(database_url))
    whole = [*migrations.migrations(), ("next", "CREATE TABLE more (x int)")]
    monkeypatch.setattr(migrations, "migrations", lambda: [*whole, ("bad", "SELECT nonsense")])
    with pytest.raises(psycopg.errors.UndefinedColumn):
        asyncio.run(run(database_url))
    monkeypatch.setattr(migrations, "migrations", lambda: whole)
    assert asyncio.run(run(database_url)) == ["next"]


def upkeep(url: str, keep_months: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT neurosense_upkeep(%s)", [keep_months])


def month_name(day: datetime) -> str:
    return f"emotion_logs_{day:%Y_%m}"


def test_upkeep_makes_months_and_moves_what_waits_for_them(database_url: str) -> None:
    asyncio.run(run(database_url))
    now = datetime.now(UTC)
    insert(database_url, a_row(created_at=now))
    assert partitions(database_url) == {"emotion_logs_rest": 1}
    for _ in range(2):
        upkeep(database_url, 0)
        found = partitions(database_url)
        assert found.pop("emotion_logs_rest") == 0
        assert found.pop(month_name(now)) == 1
        assert sorted(found.values()) == [0, 0]


def test_upkeep_drops_the_months_that_expired(database_url: str) -> None:
    asyncio.run(run(database_url))
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ages = [first, first - timedelta(days=1), first - timedelta(days=40), first - timedelta(800)]
    insert(database_url, *(a_row(created_at=day) for day in ages))
    with psycopg.connect(database_url) as connection:
        for day in ages[:3]:
            month = day.strftime("%Y-%m-01")
            connection.execute("SELECT neurosense_add_month(%s)", [month])
    assert sum(partitions(database_url).values()) == 4
    upkeep(database_url, 0)
    assert sum(partitions(database_url).values()) == 4
    upkeep(database_url, 1)
    left = {name: rows for name, rows in partitions(database_url).items() if rows}
    assert left == {month_name(ages[0]): 1, month_name(ages[1]): 1}
    assert month_name(ages[2]) not in partitions(database_url)


def test_a_session_with_a_kept_plan_adds_on_while_months_come_and_go(database_url: str) -> None:
    asyncio.run(run(database_url))
    now = datetime.now(UTC)
    then = now - timedelta(days=400)
    with psycopg.connect(database_url, autocommit=True) as session:

        def add(count: int, at: datetime = now) -> None:
            for _ in range(count):  # PostgreSQL keeps a plan from the sixth use on
                session.execute("SELECT neurosense_add(%s)", [Jsonb([a_row(created_at=at)])])

        add(8)
        upkeep(database_url, 0)
        add(8)
        session.execute("SELECT neurosense_add_month(%s)", [then.strftime("%Y-%m-01")])
        add(8, then)
        assert partitions(database_url)[month_name(then)] == 8
        upkeep(database_url, 1)
        add(8)
    left = {name: rows for name, rows in partitions(database_url).items() if rows}
    assert left == {month_name(now): 24}


def test_many_upkeeps_at_once(database_url: str) -> None:
    asyncio.run(run(database_url))

    async def one() -> None:
        async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("SELECT neurosense_upkeep(12)")

    async def together() -> None:
        await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(together())
    assert len(partitions(database_url)) == 4


def test_as_a_command(database_url: str) -> None:
    def command(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.migrations"],
            env=environment,
            cwd=Path(migrations.__file__).parent.parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    assert command(DATABASE_URL=database_url).stdout.splitlines() == [f"ran {n}" for n in NAMES]
    assert command(DATABASE_URL=database_url).stdout == "nothing to do\n"
    assert command().stderr.startswith("DATABASE_URL: set it")
    refused = command(DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert refused.returncode == 1
    assert refused.stderr.startswith("DATABASE_URL cannot be used")
