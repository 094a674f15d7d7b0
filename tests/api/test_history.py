"""Pages, statistics and forgetting, against a real PostgreSQL."""

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection

from api import queries
from api.app import create_app
from api.draining import drain
from api.settings import Settings
from api.spool import Spool
from tests.api.asking import WAV, assert_problem
from tests.api.conftest import Shared
from tests.api.fakes import FakeModels
from tests.api.rows import a_row, insert
from tests.api.servers import MovingPostgres, serve
from tests.api.test_log import ask, wait_until_ok
from tests.waiting import until_set, wait_for

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def get(client: httpx.Client, path: str, **params: Any) -> Any:
    response = client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_record_is_the_answer(client: httpx.Client) -> None:
    files = {"audio": ("a.wav", b"no audio")}
    answers = [
        client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}, files=files).json(),
    ]
    found = get(client, "/predictions")
    assert found["next_cursor"] is None
    for record, answer in zip(found["predictions"], reversed(answers), strict=True):
        of_recordings = {record.pop(name) for name in ("recording_id", "start_s", "end_s")}
        assert of_recordings == {None}
        assert (record.pop("track"), record.pop("shadow_of")) == ("current", None)
        for name in set(record) - {"created_at", "request_id"}:
            assert record[name] == answer[name], name
        assert "input_text" not in record


@pytest.fixture
def many(shared: Shared) -> list[dict[str, Any]]:
    """Rows newest first; two of them share their time."""
    emotions = ["JOY", "FEAR", "JOY", "ANGER", "JOY", "FEAR", "NEUTRAL"]
    rows = [
        a_row(
            created_at=NOON + timedelta(minutes=10 * (n - n % 2)),
            top_emotion=emotion,
            modality="audio" if n % 3 == 0 else "text",
            latency_ms=float(n),
            degraded={"modality": "audio", "code": "x", "reason": "y"} if n == 4 else None,
            models={"text": {"name": "t", "version": str(1 + n % 2), "weights": "hub"}},
            **({"track": "canary"} if n == 5 else {}),  # what a spool held before has no track
        )
        for n, emotion in enumerate(emotions)
    ]
    shadow = a_row(created_at=NOON, track="shadow", shadow_of=rows[0]["id"])
    insert(shared.database_url, *rows, shadow)
    return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_are_the_whole_once(
    client: httpx.Client, shared: Shared, many: list[dict[str, Any]], limit: int
) -> None:
    seen: list[str] = []
    page = get(client, "/predictions", limit=limit)
    while True:
        seen += [one["id"] for one in page["predictions"]]
        insert(shared.database_url, a_row())  # new ones meanwhile move no page
        if page["next_cursor"] is None:
            break
        page = get(client, "/predictions", limit=limit, cursor=page["next_cursor"])
    assert seen == [row["id"] for row in many]


@pytest.mark.parametrize(
    ("params", "chosen"),
    [
        ({"emotion": "joy"}, lambda row: row["top_emotion"] == "JOY"),
        ({"modality": "audio"}, lambda row: row["modality"] == "audio"),
        ({"degraded": "true"}, lambda row: row["degraded"]),
        ({"degraded": "false"}, lambda row: not row["degraded"]),
        ({"model_version": "2"}, lambda row: row["models"]["text"]["version"] == "2"),
        ({"model_version": "9"}, lambda _: False),
        ({"track": "canary"}, lambda row: row.get("track") == "canary"),
        ({"track": "current"}, lambda row: "track" not in row),
        ({"since": "2026-03-01T12:20:00Z"}, lambda row: row["created_at"] >= "2026-03-01T12:20"),
        ({"until": "2026-03-01T12:20:00Z"}, lambda row: row["created_at"] < "2026-03-01T12:20"),
        ({"emotion": "JOY", "modality": "text"}, lambda r: r["id"] and r["top_emotion"] == "JOY"
         and r["modality"] == "text"),
    ],
)  # fmt: skip
def test_filters(
    client: httpx.Client, many: list[dict[str, Any]], params: dict[str, str], chosen: Any
) -> None:
    found = [one["id"] for one in get(client, "/predictions", **params)["predictions"]]
    assert found == [row["id"] for row in many if chosen(row)]


FILTERS: list[dict[str, str]] = [
    {"emotion": "joy"}, {"modality": "audio"}, {"degraded": "true"}, {"degraded": "false"},
    {"model_version": "2"}, {"model_version": "9"}, {"emotion": "JOY", "modality": "text"},
    {"track": "canary"}, {"track": "current"}, {"track": "shadow"},
]  # fmt: skip


@pytest.mark.parametrize("params", FILTERS)
def test_statistics_are_filtered_as_the_predictions_are(
    client: httpx.Client, many: list[dict[str, Any]], params: dict[str, str]
) -> None:
    chosen = get(client, "/predictions", **params)["predictions"]
    since, until = NOON.isoformat(), (NOON + timedelta(hours=2)).isoformat()
    found = get(client, "/stats", since=since, until=until, bucket="hour", **params)
    assert found["total"] == len(chosen) == sum(one["total"] for one in found["over_time"])
    assert found["emotions"] == Counter(one["top_emotion"] for one in chosen)
    assert found["degraded"] == sum(one["degraded"] is not None for one in chosen)


def test_statistics_are_the_counts(client: httpx.Client, many: list[dict[str, Any]]) -> None:
    until = NOON + timedelta(hours=2)
    found = get(client, "/stats", since=NOON.isoformat(), until=until.isoformat(), bucket="hour")
    assert (found["total"], found["degraded"]) == (7, 1)
    assert found["emotions"] == Counter(row["top_emotion"] for row in many)
    assert found["modalities"] == Counter(row["modality"] for row in many)
    assert found["models"] == {"text t 1 (hub)": 4, "text t 2 (hub)": 3}
    assert found["latency_ms"] == {"p50": 3, "p95": pytest.approx(5.7), "p99": pytest.approx(5.94)}
    assert [(one["start"], one["total"]) for one in found["over_time"]] == [
        ("2026-03-01T12:00:00Z", 6),
        ("2026-03-01T13:00:00Z", 1),
    ]
    for name in ("emotions", "modalities", "models"):
        total = sum((Counter(one[name]) for one in found["over_time"]), Counter[str]())
        assert total == found[name]


def test_recordings_are_counted_apart_from_their_segments(
    client: httpx.Client, shared: Shared, many: list[dict[str, Any]]
) -> None:
    minutes = 120_000.0
    late = NOON + timedelta(minutes=90)
    insert(
        shared.database_url,
        *(
            a_row(created_at=at, modality="timeline", latency_ms=minutes,
                  degraded={"modality": "audio", "code": "incomplete", "reason": "y"})
            for at in (NOON, late)
        ),
    )  # fmt: skip
    asked = {"since": NOON.isoformat(), "until": (NOON + timedelta(hours=2)).isoformat()}
    found = get(client, "/stats", bucket="hour", **asked)
    assert (found["total"], found["recordings"], found["degraded"]) == (7, 2, 1)
    assert [one["recordings"] for one in found["over_time"]] == [1, 1]
    assert found["latency_ms"]["p99"] < 10
    assert sum(found["emotions"].values()) == 7
    assert "timeline" not in found["modalities"]
    assert sum(found["models"].values()) == 7
    alone = get(client, "/stats", modality="timeline", **asked)
    assert (alone["total"], alone["recordings"], alone["degraded"]) == (2, 2, 2)
    assert alone["latency_ms"]["p50"] == minutes
    assert alone["modalities"] == {"timeline": 2}
    assert get(client, "/stats", modality="text", **asked)["recordings"] == 0


def test_statistics_of_nothing(client: httpx.Client) -> None:
    found = get(client, "/stats")
    assert (found["total"], found["over_time"], found["emotions"]) == (0, [], {})
    assert found["latency_ms"] == {"p50": None, "p95": None, "p99": None}


def test_a_prediction_is_forgotten(client: httpx.Client, rows: Any) -> None:
    keep, drop = (client.post("/analyze/text", data={"text": "hm"}).json() for _ in range(2))
    assert client.delete(f"/predictions/{drop['id']}").status_code == 204
    assert [str(row["id"]) for row in rows()] == [keep["id"]]
    assert_problem(client.delete(f"/predictions/{drop['id']}"), 404, "not_found")


def test_with_a_recording_go_its_segments_and_their_shadows(
    client: httpx.Client, shared: Shared, rows: Any
) -> None:
    recording = a_row(modality="timeline")
    segments = [a_row(recording_id=recording["id"], input_text="hm") for _ in range(2)]
    late = a_row(recording_id=recording["id"], input_text="hm")
    shadows = [a_row(track="shadow", shadow_of=row["id"]) for row in (recording, segments[0], late)]
    other = a_row(recording_id=str(uuid.uuid4()))
    insert(shared.database_url, recording, *segments, *shadows[:2], other)
    assert client.delete(f"/predictions/{recording['id']}").status_code == 204
    assert [str(row["id"]) for row in rows()] == [other["id"]]
    # What was on its way, or in another machine's spool, does not come back.
    insert(shared.database_url, recording, *segments, late, *shadows, another := a_row())
    assert {str(row["id"]) for row in rows()} == {other["id"], another["id"]}
    assert client.delete(f"/predictions/{recording['id']}").status_code == 404


def test_what_was_stored_and_spooled_too_does_not_come_back(
    client: httpx.Client, shared: Shared, rows: Any
) -> None:
    """As an insert that had no answer in time, and was committed all the same."""
    row, other = a_row(input_text="hm"), a_row()
    insert(shared.database_url, row)
    spool = Spool(shared.spool_dir, 2**20)
    spool.append([row, other])  # held by us until it is finished
    assert client.delete(f"/predictions/{row['id']}").status_code == 204
    spool.finish_segment()
    wait_until_ok(client)
    assert [str(row["id"]) for row in rows()] == [other["id"]]


def test_what_leaves_the_spool_meanwhile_is_not_said_to_be_unknown(
    client: httpx.Client, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, forget = Spool(shared.spool_dir, 2**20), queries.forget
    spool.append([row := a_row()])  # held by us until it is finished

    async def forget_and_drain(connection: AsyncConnection, prediction: uuid.UUID) -> int:
        gone = await forget(connection, prediction)
        await drain(spool, shared.app.state.service.log.database, 1)
        return gone

    monkeypatch.setattr(queries, "forget", forget_and_drain)
    assert_problem(client.delete(f"/predictions/{row['id']}"), 503, "log_unavailable")


def test_what_the_database_never_takes_is_forgotten_too(
    client: httpx.Client, shared: Shared
) -> None:
    Spool(shared.spool_dir, 2**20).set_aside(row := a_row(input_text="\0"))
    assert client.delete(f"/predictions/{row['id']}").status_code == 204
    assert_problem(client.delete(f"/predictions/{row['id']}"), 404, "not_found")
    assert [path.read_bytes() for path in shared.spool_dir.glob("rejected-*")] == [b""]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/predictions?limit=0", "invalid_request"),
        ("/predictions?limit=501", "invalid_request"),
        ("/predictions?cursor=nonsense", "cursor_invalid"),
        ("/predictions?cursor=%00", "cursor_invalid"),
        ("/predictions?emotion=glee", "emotion_unknown"),
        ("/predictions?modality=smell", "invalid_request"),
        ("/predictions?since=2026-03-01T12:00:00", "invalid_request"),
        ("/predictions?since=0.5", "invalid_request"),
        ("/stats?until=1767225600", "invalid_request"),
        ("/predictions?model_version=%00", "invalid_request"),
        ("/stats?since=2026-03-01T12:00:00Z&until=2026-03-01T12:00:00Z", "time_invalid"),
        ("/stats?since=2020-01-01T00:00:00Z&bucket=minute", "time_too_long"),
        ("/stats?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", "time_too_long"),
        ("/stats?until=0001-01-01T00:00:00Z", "time_invalid"),
        ("/stats?bucket=second", "invalid_request"),
        ("/stats?emotion=HAPPY", "emotion_unknown"),
    ],
)
def test_parameters_that_make_no_sense(client: httpx.Client, path: str, code: str) -> None:
    assert_problem(client.get(path), 422, code)


def test_without_the_database(moving_postgres: MovingPostgres, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url)
    with serve(create_app(settings, lambda _: own_models)) as client:
        moving_postgres.stop()
        spooled = client.post("/analyze/text", data={"text": "hm"}).json()["id"]
        for path in ("/predictions", "/stats"):
            assert_problem(client.get(path), 503, "log_unavailable")
        assert_problem(client.delete(f"/predictions/{spooled}"), 503, "log_unavailable")


def test_what_may_still_be_spooled_is_not_said_to_be_unknown(
    database_url: str, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=database_url, log_timeout_s=0.5)
    with serve(create_app(settings, lambda _: own_models)) as client:
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE emotion_logs IN SHARE MODE")
            answer = client.post("/analyze/text", data={"text": "hm"}).json()
        # The lock is gone, the row not there yet: either is right, never "no such prediction".
        assert client.delete(f"/predictions/{answer['id']}").status_code in (204, 503)
        assert client.delete(f"/predictions/{uuid.uuid4()}").status_code in (404, 503)


def test_who_reads_the_log_keeps_nobody_from_writing_it(
    database_url: str, own_models: FakeModels, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    go_on = threading.Event()

    async def slowly(*_: object) -> list[Any]:
        asked.append(1)
        await until_set(go_on)
        return []

    monkeypatch.setattr("api.queries.page", slowly)
    monkeypatch.setattr("api.history._TIMEOUT_S", 60)
    settings = Settings(DATABASE_URL=database_url, database_connections=6)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        ThreadPoolExecutor(20) as threads,
    ):
        reading = [threads.submit(client.get, "/predictions") for _ in range(20)]
        try:
            wait_for(lambda: len(asked) == 2)
            for _ in range(10):
                ask(client)
            wait_until_ok(client)
            wait_for(lambda: sum(one.done() for one in reading) == 18)
        finally:
            go_on.set()
        assert list(spool_dir.iterdir()) == []
        answers = [one.result() for one in reading]
    assert len(asked) == 2
    assert sum(one.is_success for one in answers) == 2
    for one in answers:
        if not one.is_success:
            assert_problem(one, 503, "overloaded")
            assert int(one.headers["retry-after"]) > 0
