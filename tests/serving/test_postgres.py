import os
import signal
from pathlib import Path

import psycopg
import pytest

from serving.errors import ServingError
from serving.postgres import Postgres


def test_rows_survive_a_stop_and_a_kill(tmp_path: Path) -> None:
    data_dir = tmp_path / "a folder with spaces" / "postgres"
    with Postgres(data_dir) as url, psycopg.connect(url) as connection:
        connection.execute("create table kept (n int)")
    killed = Postgres(data_dir)
    with killed as url:
        with psycopg.connect(url) as connection:
            connection.execute("insert into kept values (1)")
        assert killed.child is not None
        os.kill(killed.child.pid, signal.SIGKILL)
    with Postgres(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("select n from kept").fetchall() == [(1,)]


def test_it_listens_on_no_port_and_leaves_no_folder(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres") as url, psycopg.connect(url) as connection:
        [listening] = connection.execute("show listen_addresses").fetchall()
        assert listening == ("",)
        folder = Path(connection.info.host)
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_broken_data_folder_is_reported_with_the_servers_words(tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres"
    with Postgres(data_dir):
        pass
    (data_dir / "PG_VERSION").write_text("9.1\n")
    with pytest.raises(ServingError, match=r"postgres ended(.|\n)*9\.1"), Postgres(data_dir):
        pass
