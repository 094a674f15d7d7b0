"""What the `neurosense models` commands have in common: options, and how they talk."""

import contextlib
import json
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from export.manifest import Branch
from export.progress import lasting
from serving.errors import ServingError
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton, read_key
from serving.settings import Settings
from serving.state_lock import is_running

_STARTS_WITHIN_S = 120.0
_POLL_S = 0.5

BranchArgument = Annotated[Branch, typer.Argument(help="text or audio")]
VersionArgument = Annotated[int, typer.Argument(help="as `neurosense models list` shows it", min=1)]
Json = Annotated[bool, typer.Option("--json", help="as JSON on stdout, for programs")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--repository",
        help="the model repository (default: the state folder's)",
    ),
]
Address = Annotated[
    list[str] | None,
    typer.Option(
        "--triton",
        help="gRPC address of the Triton that serves it, host:port; once for each replica, or a "
        "name that stands for all of them (default: this machine's); needs --repository",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--control-key-file",
        help="file with the key of its administration (default: that of `neurosense serve`, but "
        "no key for a Triton that --triton names)",
    ),
]
Sync = Annotated[
    str | None,
    typer.Option(
        "--sync",
        help="shell command that is run in the repository after each change, where Triton reads "
        "it from another place; a bucket takes two: README, section `Another Triton`",
    ),
]


def repository_of(folder: Path | None) -> Path:
    """Return the repository that is meant."""
    return folder.absolute() if folder else Settings.load().repository


@contextlib.contextmanager
def opened(
    folder: Path | None,
    addresses: Sequence[str] | None,
    key_file: Path | None,
    sync: str | None = None,
    patient: bool = True,
) -> Iterator[Repository]:
    """Yield the repository with its Tritons, those that answer.

    Where `neurosense serve` runs, its Triton is waited for: it may be starting again.

    Raises:
        ServingError: one that was named does not, or that of a running service.
    """
    if addresses and folder is None:
        raise typer.BadParameter("name the folder that it reads, or a copy's source: --repository")
    with contextlib.ExitStack() as stack:
        tritons = [
            stack.enter_context(SwappedTriton(address, key))
            for address, key in _places(addresses, key_file)
        ]
        if not addresses and patient and is_running(Settings.load().state_dir):
            _wait_for(tritons)
        answering = [triton for triton in tritons if triton.answers(required=bool(addresses))]
        yield Repository(repository_of(folder), answering, synchronizer(sync), tell)


def need_triton(repository: Repository) -> None:
    """Raise ServingError where a version cannot be tried."""
    if not repository.tritons:
        raise ServingError(
            "no Triton answers, so the version cannot be tried: start it, or name it with --triton "
            "(promote --force does without, and counts from the next start)"
        )


def _places(addresses: Sequence[str] | None, key_file: Path | None) -> list[tuple[str, str | None]]:
    """Return address and key of each Triton that is meant."""
    if addresses:  # this machine's key is not for others
        key = None if key_file is None else read_key(key_file)
        return [(place, key) for address in addresses for place in _replicas(address)]
    settings = Settings.load()
    file = key_file or settings.state_dir / "triton_control_key"
    if key_file is None and not file.exists():
        return []  # `neurosense serve` keeps it there while it runs
    return [(f"127.0.0.1:{settings.triton_grpc_port}", read_key(file))]


def _wait_for(tritons: Sequence[SwappedTriton]) -> None:
    """Return once they answer: what is changed beside a Triton that starts, it may not read."""
    deadline_s = time.monotonic() + _STARTS_WITHIN_S
    for triton in tritons:
        with lasting(f"waiting for Triton at {triton.url}, which may be starting again", tell):
            while not triton.answers():
                if time.monotonic() > deadline_s:
                    raise ServingError(
                        f"neurosense serve runs, but its Triton does not answer at {triton.url}: "
                        "nothing was changed. Give this command again when it is back (the "
                        "terminal of neurosense serve says so), with the NEUROSENSE_… ports that "
                        "neurosense serve was given"
                    )
                time.sleep(_POLL_S)


def _replicas(address: str) -> list[str]:
    """Return every address that a name stands for: a headless Service's are all its replicas."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return [address]  # which gRPC may know, or says what is wrong with it
    return sorted({f"{ip}:{port}" for *_, (ip, *_) in found})


def tell(message: str) -> None:
    """Tell a person, on stderr: stdout is for what was asked for."""
    typer.echo(message, err=True)


def print_json(value: Any) -> None:
    """Print for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
