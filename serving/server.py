"""A server that can be started again in place, under the same addresses."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from export.progress import Progress
from serving.ports import answers
from serving.process import Child
from serving.settings import PROJECT

PROBE_TIMEOUT_S = 2.0
"""How long a question for a sign of life waits."""


class Server(ABC):
    """What the supervisor needs to know of a server; `child` is its present life."""

    name: str
    start_timeout_s: float
    child: Child | None = None
    left_out: str | None = None
    """The part, named by `to_blame`, that it does without from the next launch on."""

    @abstractmethod
    def _launched(self, *, append: bool) -> Child:
        """Return its process, just started, after removing what an earlier one left.

        `append` says that this is not its first life: the log is to keep what it holds.
        """

    @abstractmethod
    def ready(self) -> bool:
        """Whether it does its work, which it may need others for."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether it gives a sign of life, within PROBE_TIMEOUT_S, whatever the others do."""

    def broken(self) -> str | None:
        """Return in words what it has lost for good although it lives, or None."""
        return None

    def stuck(self) -> str | None:
        """Return in words why it will never give a sign of life after a launch, or None."""
        return None

    def not_served(self, timeout_s: float = 90.0) -> Mapping[str, str]:  # noqa: ARG002
        """Return the reasons why what it should serve is not, by name, once it is back.

        Raises:
            ServingError: it does not say in time.
        """
        return {}

    def to_blame(self) -> str | None:
        """Return the part that ended its life, where it could live without that one, or None."""
        return None

    def back(self) -> bool:
        """Whether a start while the others run, or start too, has done what it can."""
        return self.ready()

    def launch(self) -> None:
        """Start its process, in place of what is left of the last one; returns at once."""
        if self.child is not None:
            self.child.kill()
        self.child = self._launched(append=self.child is not None)

    def start(self) -> None:
        """Launch it and wait until it is ready; ServingError as soon as it dies."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return once a launched server is ready; ServingError as soon as it dies."""
        self.wait_until(self.ready)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Return once something is so; ServingError if it dies before, or takes too long."""
        if self.child is not None:
            self.child.wait_until(happened, self.start_timeout_s)

    def ask_to_stop(self) -> None:
        """Ask it to end, and go on."""
        if self.child is not None:
            self.child.ask_to_stop()

    def stop(self) -> None:
        """End it; returns when it is gone."""
        if self.child is not None:
            self.child.stop()


def tell_not_served(missing: Mapping[str, str], say: Progress) -> None:
    """Say what a server does without, and why."""
    for what, why in missing.items():
        say(f"NOT SERVED, what needs it is answered without: {what}: {why}")


class Program(Server):
    """A program of this project that answers over HTTP."""

    start_timeout_s = 120.0  # tables may be brought up to date first, for a minute

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_path: Path,
        *,
        env: Mapping[str, str],
        ready_url: str,
        live_url: str,
    ) -> None:
        self.name = name
        self._command = command
        self._log_path = log_path
        self._env = env
        self._ready_url = ready_url
        self._live_url = live_url

    def _launched(self, *, append: bool) -> Child:
        return Child(
            self.name, self._command, self._log_path, env=self._env, cwd=PROJECT, append=append
        )

    def ready(self) -> bool:
        """Whether its readiness URL answers."""
        return answers(self._ready_url, PROBE_TIMEOUT_S)

    def alive(self) -> bool:
        """Whether its liveness URL answers."""
        return answers(self._live_url, PROBE_TIMEOUT_S)

    def back(self) -> bool:
        """Whether it is alive: what it needs may be down longer than itself."""
        return self.alive()
