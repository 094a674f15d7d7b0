"""The lock on Triton's own administration.

Loading and unloading models, shared memory, tracing and logging are for who holds the key that
is made at each start; inference, configurations, statistics and health are for everybody on
this machine. Triton takes the key on its command line only: on a machine that several people
use, mount /proc with `hidepid=2`, or they can read it there.
"""

import os
import secrets
from pathlib import Path

_NAME = "neurosense-control"
_CLOSED = "model-repository,shared-memory,trace,logging"


def new_key() -> str:
    """Return 32 random bytes in hex."""
    return secrets.token_hex(32)


def options(key: str) -> list[str]:
    """Return what makes Triton ask for the key, over HTTP and gRPC."""
    closed = f"{_CLOSED}:{_NAME}={key}"
    return [f"--http-restricted-api={closed}", f"--grpc-restricted-protocol={closed}"]


def headers(key: str) -> dict[str, str]:
    """Return what to send with a call, HTTP or gRPC: each looks for a name of its own."""
    return {_NAME: key, f"triton-grpc-protocol-{_NAME}": key}


def write_key(path: Path, key: str) -> None:
    """Write the key where its owner alone can read it, from the first moment on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key}\n")
