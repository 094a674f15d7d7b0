"""What the measuring commands share: how they talk, stop and fail."""

import signal
import sys

import typer

INTERRUPTED = 130
"""The exit code of one that was stopped."""


def say(line: str) -> None:
    """Print what goes on, beside the results on stdout."""
    print(line, file=sys.stderr, flush=True)


def run_app(app: typer.Typer, module: str, *expected: type[Exception]) -> None:
    """Run the command of `python -m MODULE`.

    Ctrl-C and SIGTERM raise KeyboardInterrupt, so that it cleans up. Both are set, since a shell
    starts what it puts into the background with SIGINT ignored.

    Args:
        app: the command.
        module: its name, as `--help` and messages give it.
        expected: failures that are a message and exit code 1.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        app(prog_name=f"python -m {module}")
    except expected as error:
        sys.exit(f"{module}: {error}")
