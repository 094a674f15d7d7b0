"""What the history endpoints ask is found by an index, by the planner of a real PostgreSQL."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from api import queries
from api.queries import Wanted
from tests.api.servers import blank_database
from tests.api.test_migrations import run

END = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = "emotion_logs_2026_01"
FILL = """
    INSERT INTO emotion_logs (id, created_at, modality, top_emotion, confidence, all_scores,
                              latency_ms, fusion_weights, degraded, models, track)
    SELECT gen_random_uuid(), %s - n * interval '1 minute',
           CASE WHEN n %% 1000 = 0 THEN 'timeline' ELSE 'text' END,
           CASE WHEN n %% 1000 = 1 THEN 'FEAR' ELSE 'JOY' END,
           0.5, '{"JOY": 0.5}', 1.5, '{"text": 1, "audio": 0}',
           CASE WHEN n %% 1000 = 2 THEN '{"modality": "audio"}'::jsonb END, '{}',
           CASE WHEN n %% 1000 = 3 THEN 'canary' ELSE 'current' END
    FROM generate_series(1, 20000) AS n
"""
RARE = [{"emotion": "FEAR"}, {"modality": "timeline"}, {"degraded": True}, {"track": "canary"}]


@pytest.fixture(scope="module")
def filled(server_url: str) -> str:
    url = blank_database(server_url)
    asyncio.run(run(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT neurosense_add_month('2026-01-01')")
        connection.execute(FILL, [END])
        connection.execute("ANALYZE emotion_logs")
    return url


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def scans(monkeypatch: pytest.MonkeyPatch, url: str, ask: Any) -> set[str]:
    """Return how a query reads the month that holds the rows."""
    plans: list[dict[str, Any]] = []

    async def explain(connection: AsyncConnection, query: str, values: Any) -> list[Any]:
        cursor = await connection.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), values)
        plans.append((await cursor.fetchone() or [])[0][0]["Plan"])
        raise LookupError

    async def asked() -> None:
        async with await AsyncConnection.connect(url) as connection:
            with pytest.raises(LookupError):
                await ask(connection)

    monkeypatch.setattr(queries, "_rows", explain)
    asyncio.run(asked())
    return {node["Node Type"] for node in nodes(plans[0]) if node.get("Relation Name") == MONTH}


INDEXED = {"Index Scan", "Bitmap Heap Scan"}


@pytest.mark.parametrize("wanted", [{}, {"since": END - DAY}, {"until": END - DAY}, *RARE])
@pytest.mark.parametrize("after", [None, (END - 3 * DAY, UUID(int=5))])
def test_a_page(filled: str, monkeypatch: pytest.MonkeyPatch, wanted: Any, after: Any) -> None:
    page = lambda connection: queries.page(connection, Wanted(**wanted), after, 51)  # noqa: E731
    found = scans(monkeypatch, filled, page)
    assert found
    assert found <= INDEXED


@pytest.mark.parametrize(("days", "wanted"), [(1, {}), *((14, one) for one in RARE)])
def test_statistics(filled: str, monkeypatch: pytest.MonkeyPatch, days: int, wanted: Any) -> None:
    chosen = Wanted(since=END - days * DAY, until=END, **wanted)
    statistics = lambda connection: queries.statistics(connection, chosen, "hour")  # noqa: E731
    found = scans(monkeypatch, filled, statistics)
    assert found
    assert found <= INDEXED


def test_forgetting(filled: str) -> None:
    """Its function's own queries, which EXPLAIN does not show: no scan of the month is counted."""
    count = "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = %s::regclass"
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        before = connection.execute(count, [MONTH]).fetchone()
        connection.execute("SELECT neurosense_forget(gen_random_uuid())")
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert connection.execute(count, [MONTH]).fetchone() == before
