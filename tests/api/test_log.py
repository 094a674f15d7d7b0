"""Rows equal answers; a database that goes away, hangs, and comes back."""

import asyncio
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api import health
from api.app import create_app
from api.database import _LOCK_MS, LARGEST_GROUP, BadRowsError, Database, DatabaseError
from api.rows import Row
from api.settings import Settings
from api.spool import Spool
from tests.api.fakes import GOOD_AUDIO, FakeModels
from tests.api.rows import a_row, insert
from tests.api.servers import MovingPostgres, read_rows, serve
from tests.api.test_migrations import run
from tests.waiting import wait_for

WAV = {"audio": ("a.wav", GOOD_AUDIO)}


def assert_row_equals(row: dict[str, Any], answer: dict[str, Any]) -> None:
    assert str(row["id"]) == answer["id"]
    same = ("modality", "top_emotion", "confidence", "all_scores", "latency_ms", "degraded")
    for name in (*same, "models"):
        assert row[name] == answer[name], name
    if "fusion_weights" in answer:
        assert row["fusion_weights"] == answer["fusion_weights"]


def test_rows_equal_answers(client: httpx.Client, rows: Any) -> None:
    bad = {"audio": ("a.wav", b"no audio")}
    answers = [
        client.post("/analyze/text", data={"text": "hm"}).json(),
        client.post("/analyze/audio", files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}).json(),
        client.post("/analyze/multimodal", files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}, files=bad).json(),
    ]
    found = rows()
    assert len(found) == len(answers)
    for row, answer in zip(found, answers, strict=True):
        assert_row_equals(row, answer)
        assert row["input_text"] is None
        assert row["created_at"].tzinfo is not None
    assert found[0]["fusion_weights"] == {"text": 1.0, "audio": 0.0}
    assert found[5]["degraded"]["modality"] == "audio"


def test_text_is_stored_only_when_asked_for(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, store_input_text=True)
    with serve(create_app(settings, lambda _: own_models)) as client:
        client.post("/analyze/text", data={"text": "a\0b 👋"})
        client.post("/analyze/audio", files=WAV)
        both = {"text": (None, b"\xff"), **WAV}
        assert client.post("/analyze/multimodal", files=both).json()["degraded"]
    stored = [row["input_text"] for row in read_rows(database_url)]
    assert stored == ["a\u2400b 👋", None, "\ufffd"]


def test_many_at_once_with_few_connections(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, database_connections=2)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        answers = list(threads.map(lambda _: ask(client), range(64)))
    ids = {str(row["id"]) for row in read_rows(database_url)}
    assert ids == {answer["id"] for answer in answers}


def wait_until_ok(client: httpx.Client) -> None:
    def ready() -> Any:
        return client.get("/health/ready").json()

    wait_for(lambda: ready().get("log") == "ok", instead=ready)


def ask(client: httpx.Client) -> dict[str, Any]:
    response = client.post("/analyze/text", data={"text": "hm"})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def stored_ids(url: str) -> list[str]:
    return [str(row["id"]) for row in read_rows(url)]


def test_a_database_that_goes_away_costs_no_answer_and_no_row(
    moving_postgres: MovingPostgres, own_models: FakeModels, spool_dir: Path
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url, log_timeout_s=1)
    with serve(create_app(settings, lambda _: own_models)) as client:
        answers = [ask(client)]
        moving_postgres.stop()
        answers += [ask(client) for _ in range(20)]
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "log": "degraded"})
        moving_postgres.start()
        wait_until_ok(client)
        answers.append(ask(client))
        moving_postgres.stop()
        moving_postgres.start()
        answers.append(ask(client))  # a restart between two requests
        wait_until_ok(client)
        found = read_rows(moving_postgres.url)
    assert [str(row["id"]) for row in found] == [answer["id"] for answer in answers]
    for row, answer in zip(found, answers, strict=True):
        assert_row_equals(row, answer)
    assert list(spool_dir.iterdir()) == []


def test_rows_outlive_the_process_and_the_database(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    """Also a start while the database is away."""
    settings = Settings(DATABASE_URL=moving_postgres.url)
    moving_postgres.stop()
    with serve(create_app(settings, lambda _: own_models)) as client:
        answer = ask(client)
        assert client.get("/health/ready").json()["log"] == "degraded"
    moving_postgres.start()
    with serve(create_app(settings, lambda _: own_models)) as client:
        wait_until_ok(client)
        assert stored_ids(moving_postgres.url) == [answer["id"]]


def test_a_database_that_hangs_or_is_read_only(
    database_url: str, own_models: FakeModels, spool_dir: Path
) -> None:
    settings = Settings(DATABASE_URL=database_url, log_timeout_s=0.5)
    with serve(create_app(settings, lambda _: own_models)) as client:
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE emotion_logs")
            answers = [ask(client) for _ in range(5)]
            assert client.get("/health/ready").json()["log"] == "degraded"
            time.sleep(2.5)  # attempts to come back fail meanwhile
            answers.append(ask(client))
        wait_until_ok(client)
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'neurosense-api'"
            )
            try:
                answers += [ask(client) for _ in range(5)]
                assert client.get("/health/ready").json()["log"] == "degraded"
            finally:
                owner.execute("SET default_transaction_read_only = off")
                owner.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'neurosense-api'"
                )
        wait_until_ok(client)
    assert stored_ids(database_url) == [answer["id"] for answer in answers]
    assert list(spool_dir.iterdir()) == []


def test_a_full_spool_refuses_instead_of_losing(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url, spool_max_bytes=3000)
    with serve(create_app(settings, lambda _: own_models)) as client:
        moving_postgres.stop()
        answers = []
        while (response := client.post("/analyze/text", data={"text": "hm"})).is_success:
            answers.append(response.json())
            assert len(answers) < 20
        assert (response.status_code, response.json()["code"]) == (503, "log_unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert len(answers) > 2
        assert client.get("/health/ready").status_code == 503
        moving_postgres.start()
        wait_until_ok(client)
        answers.append(ask(client))
    assert stored_ids(moving_postgres.url) == [answer["id"] for answer in answers]


def test_a_spool_without_room_for_any_row_makes_the_service_unready(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url, spool_max_bytes=0)
    with serve(create_app(settings, lambda _: own_models)) as client:
        wait_until_ok(client)
        moving_postgres.stop()
        response = client.get("/health/ready")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        assert "prediction log" in response.json()["detail"]


def test_a_spool_that_cannot_be_written(
    moving_postgres: MovingPostgres, own_models: FakeModels, spool_dir: Path
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url, log_timeout_s=20)
    with serve(create_app(settings, lambda _: own_models)) as client:
        wait_until_ok(client)
        spool_dir.rmdir()
        ask(client)  # the database is there
        moving_postgres.stop()
        response = client.post("/analyze/text", data={"text": "hm"})
        assert (response.status_code, response.json()["code"]) == (503, "log_unavailable")
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
        spool_dir.mkdir()
        assert client.get("/health/ready").json()["log"] == "degraded", "by itself"
        ask(client)


def test_waiting_rows_are_written_together(database_url: str, own_models: FakeModels) -> None:
    app = create_app(Settings(DATABASE_URL=database_url), lambda _: own_models)
    with serve(app) as client:
        with psycopg.connect(database_url) as connection, ThreadPoolExecutor(40) as threads:
            connection.execute("LOCK TABLE emotion_logs")
            asked = [threads.submit(ask, client) for _ in range(40)]
            wait_for(lambda: len(app.state.service.log._waiting) == 40, timeout_s=15)
            connection.rollback()
            answers = [one.result() for one in asked]
        with psycopg.connect(database_url) as connection:
            query = "SELECT count(DISTINCT xmin::text), count(*) FROM emotion_logs"
            found = connection.execute(query).fetchone()
    assert found is not None
    assert found[0] < 10
    assert found[1] == len(answers) == 40


def test_rows_hold_one_connection_and_never_one_that_failed(database_url: str) -> None:
    asyncio.run(run(database_url))
    taken: set[str] = set()

    async def session() -> int:
        """Return the process of the one session that takes rows, once others are gone."""
        query = """SELECT pid FROM pg_stat_activity
                   WHERE query LIKE 'SELECT neurosense_add%' AND datname = current_database()"""
        async with asyncio.timeout(20):
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as asks:
                while len(found := await (await asks.execute(query)).fetchall()) != 1:
                    await asyncio.sleep(0.05)
        return int(found[0][0])

    def end(session: int) -> None:
        with psycopg.connect(database_url) as owner:
            owner.execute("SELECT pg_terminate_backend(%s, 10000)", [session])

    async def check() -> None:
        database = Database(database_url, 2, 0.5)
        await database.open()

        async def takes(*rows: Row) -> None:
            await database.insert(rows)
            taken.update(row["id"] for row in rows)

        await takes(a_row())
        first = await session()
        await takes(a_row())
        assert await session() == first
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE emotion_logs")
            with pytest.raises(DatabaseError, match="in time"):
                await database.insert([a_row()])
        await takes(a_row())
        second = await session()
        assert second != first
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE emotion_logs")
            waiting = asyncio.create_task(database.insert([a_row()]))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(end, second)
            with pytest.raises(DatabaseError, match="AdminShutdown"):
                await waiting
        await takes(a_row())
        third = await session()
        assert third not in (first, second)
        end(third)
        await asyncio.sleep(0.1)
        await takes(a_row())  # nothing was under way, so that nothing fails
        assert await session() not in (first, second, third)
        with pytest.raises(BadRowsError, match="NotNullViolation"):
            await database.insert([a_row(modality=None)])
        # More than a socket takes at once.
        database.timeout_s = 10
        await takes(*(a_row(input_text="long " * 1000) for _ in range(LARGEST_GROUP)))
        await database.close()

    asyncio.run(check())
    assert taken <= {str(row["id"]) for row in read_rows(database_url)}


def test_a_row_is_there_only_when_the_database_has_committed_it() -> None:
    """It says that a statement is through before it commits it: then the connection is lost."""

    def message(kind: bytes, body: bytes = b"") -> bytes:
        return kind + (4 + len(body)).to_bytes(4) + body

    ready = message(b"Z", b"I")
    columns = message(b"T", b"\0\1" + b"neurosense_add\0" + bytes(18))
    through = message(b"1") + message(b"2") + columns + message(b"C", b"SELECT 0\0")

    def one_session(door: socket.socket, answer: bytes) -> None:
        session, _ = door.accept()
        with session:
            session.recv(10_000)
            session.sendall(message(b"R", bytes(4)) + ready)
            session.recv(10_000)
            session.sendall(answer)
            time.sleep(0.2)

    async def check() -> None:
        with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor(1) as threads:
            url = f"postgresql://u@127.0.0.1:{door.getsockname()[1]}/d"
            database = Database(f"{url}?sslmode=disable&gssencmode=disable", 1, 5)
            done = threads.submit(one_session, door, through)
            with pytest.raises(DatabaseError, match="OperationalError"):
                await database.insert([a_row()])
            done.result()
            done = threads.submit(one_session, door, through + ready)
            await database.insert([a_row()])
            done.result()
            await database.close()

    asyncio.run(check())


def test_upkeep_that_must_wait_costs_the_log_nothing(
    database_url: str,
    own_models: FakeModels,
    spool_dir: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever reads all months for long (pg_dump) keeps those that expired from being dropped."""
    assert Settings.model_fields["log_timeout_s"].default > 2 * _LOCK_MS / 1000
    monkeypatch.setattr("api.log._UPKEEP_AGAIN_S", 0.1)
    asyncio.run(run(database_url))
    with psycopg.connect(database_url) as owner:
        owner.execute("SELECT neurosense_add_month('2020-01-01')")
    insert(database_url, a_row(datetime(2020, 1, 1, tzinfo=UTC)))
    settings = Settings(DATABASE_URL=database_url, retention_months=1, log_timeout_s=20)
    answers: list[dict[str, Any]] = []

    def asked_during_two() -> bool:
        answers.append(ask(client))
        return caplog.text.count("upkeep is put off") > 2  # the first was at the start

    with psycopg.connect(database_url) as reader:
        assert reader.execute("SELECT count(*) FROM emotion_logs").fetchone() == (1,)
        with serve(create_app(settings, lambda _: own_models)) as client:
            wait_for(asked_during_two)
            assert "rows go to the spool" not in caplog.text
            assert "neurosense_log_degraded 0.0" in client.get("/metrics").text
            assert list(spool_dir.iterdir()) == []
            reader.rollback()
            reader.autocommit = True  # one transaction would go on seeing what it saw first
            # Reading the log to see it would keep it from being dropped.
            is_gone = "SELECT to_regclass('emotion_logs_2020_01') IS NULL"
            wait_for(lambda: reader.execute(is_gone).fetchone() == (True,))
    assert stored_ids(database_url) == [answer["id"] for answer in answers]


def test_a_database_that_hangs_while_it_is_asked_what_ran_is_left(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database._ASKING_S", 0.3)
    asyncio.run(run(database_url))

    async def migrate() -> None:
        database = Database(database_url, 2, 10)
        await database.open()
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseError):
                await database.migrate(60)
        await database.close()

    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE neurosense_migrations")
        asyncio.run(migrate())


def fail(*_: object) -> None:
    raise RuntimeError


def test_what_nobody_foresaw_ends_neither_the_writing_nor_the_recovery(
    database_url: str, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(create_app(Settings(DATABASE_URL=database_url), lambda _: own_models)) as client:
        answers = [ask(client)]
        with monkeypatch.context() as broken:
            broken.setattr(Database, "insert", fail)
            broken.setattr("api.recovery.drain", fail)
            answers += [ask(client) for _ in range(2)]  # into the spool
            broken.setattr(Spool, "append", fail)
            refused = client.post("/analyze/text", data={"text": "hm"})
            assert (refused.status_code, refused.json()["code"]) == (503, "log_unavailable")
            time.sleep(1.5)  # attempts to come back fail meanwhile
        wait_until_ok(client)
        answers.append(ask(client))
    assert stored_ids(database_url) == [answer["id"] for answer in answers]


def test_a_disk_that_hangs_keeps_nobody_waiting_for_ever(
    database_url: str, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.log._PATIENCE_S", 0.1)
    settings = Settings(DATABASE_URL=database_url, log_timeout_s=0.2)
    hanging = threading.Event()
    with serve(create_app(settings, lambda _: own_models)) as client:
        with psycopg.connect(database_url) as blocker, monkeypatch.context() as broken:
            blocker.execute("LOCK TABLE emotion_logs")
            broken.setattr(Spool, "append", lambda *_: hanging.wait())
            try:
                for _ in range(2):
                    refused = client.post("/analyze/text", data={"text": "hm"})
                    assert (refused.status_code, refused.json()["code"]) == (503, "log_unavailable")
            finally:
                hanging.set()
        wait_until_ok(client)
        # Rows have half a second here, which may be too short for a busy machine.
        wait_for(lambda: client.post("/analyze/text", data={"text": "hm"}).is_success)


def test_readiness_is_quick_beside_a_database_that_is_silent(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    assert health._TIMEOUT_S < 1
    settings = Settings(DATABASE_URL=moving_postgres.url, log_timeout_s=60)
    with (
        tempfile.TemporaryDirectory(prefix="neurosense-") as folder,
        socket.socket(socket.AF_UNIX) as silent,
    ):
        silent.bind(str(Path(folder) / ".s.PGSQL.5432"))
        silent.listen()
        with serve(create_app(settings, lambda _: own_models)) as client:
            moving_postgres.stop()
            moving_postgres.point_at(Path(folder))
            for _ in range(2):
                response = client.get("/health/ready")
                assert response.json()["log"] == "degraded"
                assert response.elapsed.total_seconds() < 10
