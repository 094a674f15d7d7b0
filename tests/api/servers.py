"""Real servers for tests: the API under uvicorn, and databases."""

import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from api.http_protocol import bounded
from api.stream_protocol import LONGEST_MESSAGE_BYTES, StreamProtocol
from serving.postgres import Postgres


def blank_database(server_url: str) -> str:
    """Return a URL that leads into a schema of its own: as good as a database, and quicker."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return make_conninfo(server_url, options=f"-csearch_path={name}")


def read_rows(database_url: str) -> list[dict[str, Any]]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        query = "SELECT * FROM emotion_logs ORDER BY created_at"
        return connection.execute(query).fetchall()


@contextmanager
def serve(app: FastAPI, http: Any = None) -> Iterator[httpx.Client]:
    """A real uvicorn on a free port, set up as the API's own, and a client of it."""
    http = http or bounded(1000, app.state.refusals)
    config = uvicorn.Config(
        app, port=0, http=http, ws=StreamProtocol, ws_max_size=LONGEST_MESSAGE_BYTES,
        log_config=None, timeout_graceful_shutdown=3, timeout_keep_alive=75,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "uvicorn ended while starting"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def connected(client: httpx.Client) -> socket.socket:
    """A connection of its own to a client's server, for what no HTTP client sends."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)


class MovingPostgres:
    """A database that can go away and come back under the same URL."""

    def __init__(self, folder: Path, blank: Path) -> None:
        """`blank` is a data folder that was initialised and never served: making one takes long."""
        self._data_dir = folder / "data"
        subprocess.run(["cp", "-a", blank, self._data_dir], check=True)
        self._link = folder / "link"
        self._running: Postgres | None = None
        self.url = make_conninfo("postgresql://postgres@/postgres", host=str(self._link))

    def start(self) -> None:
        self._running = Postgres(self._data_dir)
        host = conninfo_to_dict(self._running.__enter__())["host"]
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(str(host))

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def point_at(self, folder: Path) -> None:
        """Let the URL lead to whatever listens in another folder."""
        self._link.unlink()
        self._link.symlink_to(folder)
