"""A small disk for the spool that can be filled: a tmpfs that only the service sees.

It is mounted in a mount namespace of the service's own, so nothing is left to unmount. Without
root a user namespace allows that, where the system does.
"""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SIZE = "4m"
_CHUNK = 4096


class SmallDisk:
    """The disk at `folder` of the process `pid` and of what that starts."""

    def __init__(self, pid: int, folder: Path) -> None:
        # Through this link one sees the file system as the process sees it.
        self._filler = Path(f"/proc/{pid}/root{folder.absolute()}") / "filler"

    @staticmethod
    def command(folder: Path, command: Sequence[str]) -> list[str] | None:
        """Return `command` with `folder` on a small disk, or None where that is not allowed."""
        isolated = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-rm"]
        mount = f"mount -t tmpfs -o size={_SIZE} tmpfs {shlex.quote(str(folder))}"
        try:
            subprocess.run([*isolated, "sh", "-c", mount], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return [*isolated, "sh", "-c", f"{mount} && exec {shlex.join(command)}"]

    def fill(self) -> None:
        """Take all the space that is left."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * _CHUNK)
            except OSError:
                return

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()
