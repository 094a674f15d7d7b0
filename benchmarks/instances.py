"""A Triton whose audio classifier divides the cores among instances in a given way."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from google.protobuf import text_format

from benchmarks.peers.processes import family
from benchmarks.server import triton_on_free_ports
from benchmarks.sources import newest
from export import manifest as manifests
from export.manifest import Branch
from export.versions import MODELS
from serving.repository import read_config, render
from serving.settings import Settings

_DIVIDED = "audio_classifier"


@dataclass(frozen=True)
class Division:
    """So many instances with so many threads each."""

    instances: int
    threads: int

    def __str__(self) -> str:
        return f"{self.instances} x {self.threads} threads"


def divisions(cores: int) -> list[Division]:
    """Return all cores for one instance, and where there are several, one for each."""
    return [Division(1, cores), *([Division(cores, 1)] if cores > 1 else [])]


@contextmanager
def divided_triton(
    repository: Path, work: Path, division: Division
) -> Iterator[tuple[str, Callable[[], set[int]]]]:
    """Start a Triton of its own; yields its gRPC address and what finds its processes.

    Args:
        repository: whose newest versions it serves; it is left as it is.
        work: a folder on the same file system, so that graphs are linked, not copied.
        division: of the cores.
    """
    with tempfile.TemporaryDirectory(prefix="instances-", dir=work) as folder:
        copy = Path(folder) / "model_repository"
        _render(repository, copy)
        _divide(copy / _DIVIDED / "config.pbtxt", division)
        with triton_on_free_ports(copy, Path(folder) / "triton.log") as triton:
            if triton.child is None:
                raise RuntimeError("a Triton that was entered has a process")
            yield triton.grpc_url, partial(family, triton.child.pid)


def _render(repository: Path, copy: Path) -> None:
    """Make `copy` servable with the newest versions of `repository`."""
    served = {}
    for branch in get_args(Branch):
        folder = newest(branch, repository)
        served[branch] = manifests.read(folder)
        for model in MODELS[branch]:
            source = repository / model / folder.name
            shutil.copytree(source, copy / model / folder.name, copy_function=_link)
    render(copy, served, Settings.load(), gpu=False)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _divide(file: Path, division: Division) -> None:
    config = read_config(file)
    (group,) = config.instance_group
    group.count = division.instances
    config.parameters["intra_op_thread_count"].string_value = str(division.threads)
    file.write_text(text_format.MessageToString(config))
