"""The capacity page: its figures against what is real."""

import asyncio
import random as standard_random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest

from api.database import Database
from benchmarks.capacity import ROW_BYTES, Load, needed, simulated_p99_s, table
from benchmarks.replica import AUDIO_PER_S, CLIP_S, service_s
from serving.postgres import Postgres
from tests.api.rows import a_row, insert
from tests.deploy.charts import DEPLOY


def test_a_replica_carries_what_was_measured() -> None:
    clip = np.array([AUDIO_PER_S / 1.57])
    assert clip[0] / service_s(clip)[0] == pytest.approx(AUDIO_PER_S)
    assert service_s(clip, 4 * AUDIO_PER_S)[0] == pytest.approx(service_s(clip)[0] / 4)
    assert np.all(np.diff(service_s(np.linspace(*CLIP_S, 100))) > 0)


def test_one_replica_less_is_too_few() -> None:
    load = Load(audio_hours_a_day=1000)
    need = needed(load)
    assert need.p99_s <= 3 < simulated_p99_s(load, need.replicas - 1)
    assert need.busy < 1


def test_a_limit_that_no_number_of_replicas_keeps_is_an_error() -> None:
    with pytest.raises(ValueError, match="by itself"):
        needed(Load(10), p99_limit_s=0.5)
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.capacity", "--p99-s", "0.5"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("--p99-s: a clip of 12 s takes")


def test_the_page_has_the_table_that_the_program_prints() -> None:
    made = table([needed(Load(hours)) for hours in (10, 1_000, 100_000)])
    assert made in (DEPLOY / "capacity.md").read_text()


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Postgres(tmp_path_factory.mktemp("postgres") / "data") as url:
        asyncio.run(_prepare(url))
        yield url


async def _prepare(url: str) -> None:
    database = Database(url, 1, 30)
    await database.open()
    await database.migrate(60)
    await database.upkeep(0)
    await database.close()


def test_a_row_takes_the_bytes_that_the_page_counts_with(database_url: str) -> None:
    random = standard_random.Random(4)
    emotions = ("JOY", "ANGER", "FEAR", "SADNESS", "DISGUST", "NEUTRAL", "SURPRISE")
    now = datetime.now(UTC)
    rows = [
        a_row(
            now + timedelta(milliseconds=number),
            modality="multimodal_fused",
            confidence=round(random.random(), 4),
            latency_ms=round(random.random() * 1000, 4),
            all_scores={emotion: round(random.random(), 4) for emotion in emotions},
            fusion_weights={"text": 0.55, "audio": 0.45},
            models={
                "text": {
                    "name": "j-hartmann/emotion-english-distilroberta-base",
                    "version": "1",
                    "weights": "hub",
                },
                "audio": {
                    "name": "superb/wav2vec2-base-superb-er",
                    "version": "1",
                    "weights": "hub",
                },
            },
            request_id=uuid.uuid4().hex,
        )
        for number in range(10_000)
    ]
    for start in range(0, len(rows), 500):
        insert(database_url, *rows[start : start + 500])
    with psycopg.connect(database_url) as connection:
        query = """SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                   WHERE inhparent = 'emotion_logs'::regclass"""
        found = connection.execute(query).fetchone()
    assert found is not None
    assert int(found[0]) / len(rows) == pytest.approx(ROW_BYTES, rel=0.1)
