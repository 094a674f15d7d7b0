"""Brings a repository's changes to where Triton reads them, if that is another place."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from serving.errors import ServingError

Synchronize = Callable[[Path], None]


def synchronizer(
    command: str | None,
    advice: str = "Run it by hand, then repeat this command: it finishes what is left",
) -> Synchronize:
    """Return what runs a shell command, such as `aws s3 sync …`, after each change.

    Where the command fails, a ServingError with this advice is raised.
    """

    def synchronize(repository: Path) -> None:
        if command is None:
            return
        done = subprocess.run(command, shell=True, cwd=repository, check=False)  # noqa: S602
        if done.returncode:
            raise ServingError(
                f"--sync failed with {done.returncode} in {repository}: {command}\n{advice}"
            )

    return synchronize
