"""What is read from the log's table, and the one thing that is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from api.records import Bucket, Counts, Latency, Slice

_STATEMENT_TIMEOUT_MS = 5000

_PAGE = """
    SELECT id, created_at, modality, top_emotion, confidence, all_scores, latency_ms,
           fusion_weights, degraded, models, request_id, recording_id, start_s, end_s,
           track, shadow_of
    FROM emotion_logs
    WHERE {conditions}
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s
"""
_CONDITIONS = {
    "since": "created_at >= %(since)s",
    "until": "created_at < %(until)s",
    "emotion": "top_emotion = %(emotion)s",
    "modality": "modality = %(modality)s",
    "model_version": "%(model_version)s IN"
    " (models->'text'->>'version', models->'audio'->>'version')",
    "degraded": "(degraded IS NOT NULL) = %(degraded)s",
    "track": "track = %(track)s",
    "after": "(created_at, id) < (%(after_time)s, %(after_id)s)",
}
# One row for each slice (start) and one for the whole (start is null), by GROUPING SETS. What a
# recording comes to is no prediction beside those of its segments, and its latency is minutes:
# it is counted apart, unless nothing else is asked for.
_COUNTS = """
    WITH chosen AS (
        SELECT date_trunc(%(bucket)s, created_at, 'UTC') AS start, top_emotion, modality,
               degraded IS NOT NULL AS is_degraded, latency_ms, models,
               modality <> 'timeline' OR %(modality)s::text IS NOT NULL AS counts
        FROM emotion_logs WHERE {conditions}
    ), whole AS (
        SELECT start, count(*) FILTER (WHERE counts) AS total,
               count(*) FILTER (WHERE modality = 'timeline') AS recordings,
               count(*) FILTER (WHERE counts AND is_degraded) AS degraded,
               percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms)
               FILTER (WHERE counts) AS latency
        FROM chosen GROUP BY GROUPING SETS ((start), ())
    ), kinds AS (
        SELECT start, 'emotions' AS kind, top_emotion AS name FROM chosen WHERE counts
        UNION ALL SELECT start, 'modalities', modality FROM chosen WHERE counts
        UNION ALL SELECT start, 'models', branch.key || ' ' || (branch.value->>'name') || ' '
                         || (branch.value->>'version') || ' (' || (branch.value->>'weights') || ')'
                  FROM chosen, jsonb_each(models) AS branch WHERE counts
    ), counted AS (
        SELECT start, kind, name, count(*) AS n
        FROM kinds GROUP BY GROUPING SETS ((start, kind, name), (kind, name))
    )
    SELECT start, total, recordings, degraded, latency,
           (SELECT jsonb_agg(jsonb_build_array(kind, name, n) ORDER BY n DESC, name)
            FROM counted WHERE counted.start IS NOT DISTINCT FROM whole.start) AS counted
    FROM whole ORDER BY start NULLS FIRST
"""


@dataclass(frozen=True)
class Wanted:
    """Which predictions; None asks for all, but of tracks for all that were given to somebody."""

    since: datetime | None = None
    until: datetime | None = None
    emotion: str | None = None
    modality: str | None = None
    model_version: str | None = None
    degraded: bool | None = None
    track: str | None = None


async def page(
    connection: AsyncConnection, wanted: Wanted, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return the newest `limit` predictions that are wanted, older than `after`."""
    values = vars(wanted) | {"after": after, "limit": limit}
    if after is not None:
        values |= {"after_time": after[0], "after_id": after[1]}
    return await _rows(connection, _PAGE.format(conditions=_conditions(values)), values)


async def statistics(
    connection: AsyncConnection, wanted: Wanted, bucket: Bucket
) -> tuple[Counts, list[Slice]]:
    """Return the counts of all that is wanted and of each slice that is not empty."""
    values = vars(wanted) | {"bucket": bucket}
    query = _COUNTS.format(conditions=_conditions(values))
    whole, *slices = await _rows(connection, query, values)
    return Counts(**_counts(whole)), [Slice(start=s["start"], **_counts(s)) for s in slices]


async def forget(connection: AsyncConnection, prediction: UUID) -> int:
    """Delete a prediction; return how many rows that were."""
    cursor = await connection.execute("SELECT neurosense_forget(%s)", [prediction])
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


def _conditions(values: Mapping[str, Any]) -> str:
    chosen = [sql for name, sql in _CONDITIONS.items() if values.get(name) is not None]
    given = [] if values.get("track") else ["track <> 'shadow'"]
    return " AND ".join([*chosen, *given])


async def _rows(
    connection: AsyncConnection, query: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT_MS}".encode())
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()


def _counts(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, int]] = {"emotions": {}, "modalities": {}, "models": {}}
    for kind, name, count in row["counted"] or []:
        found[kind][name] = count
    p50, p95, p99 = row["latency"] or (None, None, None)
    latency = Latency(p50=p50, p95=p95, p99=p99)
    totals = {name: row[name] for name in ("total", "recordings", "degraded")}
    return {**totals, "latency_ms": latency, **found}
