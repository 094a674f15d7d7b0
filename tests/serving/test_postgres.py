import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from serving.errors import ServingError
from serving.postgres import Postgres
from tests.serving.test_process import wait_until_gone


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


def test_it_comes_back_under_the_same_url_with_its_rows(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    with postgres as url:
        with psycopg.connect(url) as connection:
            connection.execute("create table kept (n int)")
        assert postgres.child is not None
        os.kill(postgres.child.pid, signal.SIGKILL)
        postgres.child.kill()
        postgres.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("select n from kept").fetchall() == []


def test_a_backend_that_hangs_does_not_block_the_next_start(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    with postgres as url:
        connection = psycopg.connect(url)
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        assert postgres.child is not None
        postgres.child.kill()
        postgres.start()
        assert wait_until_gone(backend)
        connection.close()


def test_a_lock_whose_number_belongs_to_another_process_now_is_no_lock(tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres"
    with Postgres(data_dir):
        lock = (data_dir / "postmaster.pid").read_text()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (data_dir / "postmaster.pid").write_text(f"{stranger.pid}\n" + lock.partition("\n")[2])
        with Postgres(data_dir) as url, psycopg.connect(url):
            pass
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres"
    with Postgres(data_dir) as url, psycopg.connect(url) as connection:
        with (
            pytest.raises(ServingError, match=r"postmaster\.pid"),
            Postgres(data_dir, tmp_path / "2"),
        ):
            pass
        assert connection.execute("select 1").fetchall() == [(1,)]
