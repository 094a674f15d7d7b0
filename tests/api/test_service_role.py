"""The service as the role of deploy/service_role.sql, and what that role may not do."""

import asyncio
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from api import migrations
from api.app import create_app
from api.settings import Settings
from serving.postgres_programs import binary
from tests.api.fakes import FakeModels
from tests.api.rows import a_row, insert
from tests.api.servers import serve
from tests.api.test_log import ask, stored_ids, wait_until_ok
from tests.api.test_migrations import run

SCRIPT = Path(__file__).parent.parent.parent / "deploy" / "service_role.sql"


def psql(url: str, role: str) -> None:
    variables = ["-v", f"role={role}", "-v", "password=secret"]
    subprocess.run(
        [binary("psql"), url, "-q", *variables, "-f", SCRIPT], check=True, capture_output=True
    )


@pytest.fixture
def role_url(database_url: str) -> str:
    asyncio.run(run(database_url))
    with psycopg.connect(database_url) as owner:  # as where functions are nobody's by default
        owner.execute("REVOKE EXECUTE ON FUNCTION neurosense_add(jsonb) FROM PUBLIC")
    role = f"service_{uuid.uuid4().hex[:8]}"
    for _ in range(2):  # it may be run again
        psql(database_url, role)
    return make_conninfo(database_url, user=role, password="secret")  # noqa: S106


def test_the_service_runs_with_it(role_url: str, database_url: str, own_models: FakeModels) -> None:
    with serve(create_app(Settings(DATABASE_URL=role_url), lambda _: own_models)) as client:
        answer = ask(client)
        wait_until_ok(client)
        assert stored_ids(role_url) == stored_ids(database_url) == [answer["id"]]
        found = client.get("/predictions").json()
        assert [row["id"] for row in found["predictions"]] == [answer["id"]]
        assert client.delete(f"/predictions/{answer['id']}").status_code == 204
        assert stored_ids(database_url) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE emotion_logs SET top_emotion = 'FEAR'",
        "DELETE FROM emotion_logs",
        "TRUNCATE emotion_logs",
        "DROP TABLE emotion_logs",
        "ALTER TABLE emotion_logs DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM emotion_logs_rest",
        "SELECT * FROM neurosense_migrations",
        "SELECT * FROM neurosense_forgotten",
        "DELETE FROM neurosense_forgotten",
        "SELECT neurosense_add_month('2020-01-01')",
        "CREATE TABLE mine (x int)",
    ],
)
def test_it_may_do_nothing_else(role_url: str, statement: str) -> None:
    with (
        psycopg.connect(role_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_a_role_without_a_policy_sees_and_adds_no_row(role_url: str, database_url: str) -> None:
    insert(database_url, a_row())
    other = f"anon_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as owner:
        [schema] = owner.execute("SELECT current_schema()").fetchone() or []
        for statement in (
            f"CREATE ROLE {other} LOGIN",
            f"GRANT USAGE ON SCHEMA {schema} TO {other}",
            f"GRANT EXECUTE ON FUNCTION neurosense_add(jsonb) TO {other}",
            f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {other}",  # as Supabase does
        ):
            owner.execute(statement.encode())
    for table in ("emotion_logs", "emotion_logs_rest"):
        with psycopg.connect(make_conninfo(database_url, user=other)) as connection:
            assert connection.execute(f"TABLE {table}".encode()).fetchall() == []
    with (
        psycopg.connect(make_conninfo(database_url, user=other)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="policy"),
    ):
        connection.execute("SELECT neurosense_add(%s)", [Jsonb([a_row()])])
    assert len(stored_ids(role_url)) == 1


def test_a_database_that_this_role_may_not_migrate_stops_the_start(
    role_url: str, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [*migrations.migrations(), ("0099 more", "CREATE TABLE more (x int)")]
    monkeypatch.setattr(migrations, "migrations", lambda: whole)

    async def start() -> None:
        app = create_app(Settings(DATABASE_URL=role_url), lambda _: own_models)
        async with app.router.lifespan_context(app):
            raise AssertionError

    with pytest.raises(migrations.MigrationError, match=r"0099 more.*python -m api\.migrations"):
        asyncio.run(start())
