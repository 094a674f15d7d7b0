"""Behind PgBouncer in transaction mode, where no two statements share a session."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.app import create_app
from api.settings import Settings
from serving.ports import free_ports
from serving.postgres_programs import binary
from serving.process import Child
from tests.api.fakes import FakeModels
from tests.api.servers import read_rows, serve
from tests.api.test_log import ask, wait_until_ok

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="needs PgBouncer: apt install pgbouncer")


@pytest.fixture
def pooled_url(server_url: str, tmp_path: Path) -> Iterator[str]:
    host = conninfo_to_dict(server_url)["host"]
    [port] = free_ports(1)
    (tmp_path / "users").write_text('"postgres" ""\n')
    (tmp_path / "ini").write_text(
        f"[databases]\npostgres = host={host}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {tmp_path / 'users'}\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    command = [str(PGBOUNCER), str(tmp_path / "ini")]
    if os.geteuid() == 0:  # it refuses to run as root
        nobody = pwd.getpwnam("nobody")
        for path in (tmp_path, tmp_path / "ini", tmp_path / "users"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        for parent in tmp_path.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o055)
        command = ["setpriv", f"--reuid={nobody.pw_uid}", "--clear-groups", *command]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    child = Child("pgbouncer", command, tmp_path / "log")
    try:
        child.wait_until(lambda: answers(url), 20)
        yield url
    finally:
        child.stop()


def answers(url: str) -> bool:
    done = subprocess.run([binary("pg_isready"), "-q", "-d", url], check=False)
    return done.returncode == 0


def test_the_log_works_through_it(pooled_url: str, own_models: FakeModels) -> None:
    with serve(create_app(Settings(DATABASE_URL=pooled_url), lambda _: own_models)) as client:
        wait_until_ok(client)
        with ThreadPoolExecutor(16) as threads:
            answered = {one["id"] for one in threads.map(lambda _: ask(client), range(100))}
        page = client.get("/predictions", params={"limit": 500}).json()["predictions"]
        assert answered <= {one["id"] for one in page}
        assert client.get("/stats").json()["total"] >= 100
        gone = answered.pop()
        assert client.delete(f"/predictions/{gone}").status_code == 204
        wait_until_ok(client)
    stored = {str(row["id"]) for row in read_rows(make_conninfo(pooled_url))}
    assert answered <= stored
    assert gone not in stored
