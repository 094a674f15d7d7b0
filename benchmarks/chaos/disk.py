"""A small disk that can be filled: a tmpfs that only the programs see which are to.

It is mounted in a mount namespace of its own, which lives as long as the process that this file
is, so nothing is left to unmount. Without root a user namespace allows that, where the system does.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.errors import ServingError
from serving.process import Child
from serving.settings import PROJECT

_CHUNK = 4096
_MOUNTED = "mounted"
_MOUNT_TIMEOUT_S = 20.0


class SmallDisk:
    """A disk at an empty `folder`, of so many MB, until `close`.

    Raises:
        ServingError: this machine allows none.
    """

    def __init__(self, folder: Path, size_mb: int) -> None:
        new = ["--mount"]
        self._enter = ["nsenter", "--mount"]
        if os.geteuid() != 0:
            new += ["--user", "--map-current-user", "--keep-caps"]
            self._enter += ["--user", "--preserve-credentials"]
        command = ["unshare", *new, sys.executable, "-m", "benchmarks.chaos.disk"]
        try:
            self._holder = Child(
                "a small disk",
                [*command, str(folder.absolute()), str(size_mb)],
                folder.with_suffix(".log"),
                cwd=PROJECT,
            )
        except OSError as error:
            raise ServingError(f"a small disk needs util-linux ({error})") from None
        try:
            self._holder.wait_until(lambda: _MOUNTED in self._holder.last_lines(), _MOUNT_TIMEOUT_S)
        except ServingError:
            self.close()
            raise
        # Through this link one sees the file system as that process sees it.
        self.seen = Path(f"/proc/{self._holder.pid}/root{folder.absolute()}")
        """The disk as the harness sees it."""

    @classmethod
    def allowed(cls, folder: Path, size_mb: int) -> "SmallDisk | None":
        """Return one, or None where this machine allows none."""
        folder.mkdir()
        try:
            return cls(folder, size_mb)
        except ServingError:
            return None

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the command that sees the disk; its process has the same number."""
        enter = [*self._enter, f"--target={self._holder.pid}"]
        return [*enter, "env", f"--chdir={PROJECT}", *command]

    def fill(self) -> None:
        """Take all the space that is left; again, what was given back meanwhile."""
        with (self.seen / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * _CHUNK)
            except OSError:
                return

    def free(self) -> None:
        """Give it back."""
        (self.seen / "filler").unlink()

    def close(self) -> None:
        """Be gone with all that is on it, once the last program that sees it has ended."""
        self._holder.stop()


def _hold(folder: str, size_mb: str) -> None:
    """Mount it, and stay; `mount` itself would want root, which a user namespace need not give."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size_mb}m".encode()
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, options):
        sys.exit(os.strerror(ctypes.get_errno()))
    print(_MOUNTED, flush=True)
    signal.pause()


if __name__ == "__main__":
    _hold(*sys.argv[1:])
