"""One short-named folder for what a run leaves outside its state folder, known to the next run."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from serving.process_folders import carries, end_all

_PREFIX = "neurosense-"
_MARK = "NEUROSENSE_RUN_DIR"
_GRACE_S = 5.0
"""How long the servers of a run that was killed may take to end by themselves."""


@contextlib.contextmanager
def run_folder(state_dir: Path) -> Iterator[Path]:
    """Yield a private folder, short enough for sockets; nothing of it stays.

    What a run left that was killed is removed first: its processes, its shared memory (named
    after its folder) and its folder. `state_dir/run` leads to it. The caller holds the lock.
    """
    link = state_dir / "run"
    if link.is_symlink():
        _remove(link.readlink())
        link.unlink()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    link.symlink_to(folder)
    os.environ[_MARK] = str(folder)  # every process that is started from now on inherits it
    try:
        yield folder
    finally:
        del os.environ[_MARK]
        shutil.rmtree(folder, ignore_errors=True)
        link.unlink(missing_ok=True)


def remove_shared_memory(prefix: str) -> None:
    """Remove the shared memory of Python steps whose server was killed."""
    for region in Path("/dev/shm").glob(f"{prefix}*"):  # noqa: S108
        region.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    if not folder.name.startswith(_PREFIX):
        return  # not a link of ours
    end_all(lambda pid: carries(pid, _MARK, str(folder)), _GRACE_S)
    remove_shared_memory(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
