"""Measures servers in turn, round after round, with the same requests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from benchmarks.http_load import LoadError, LoadResult, closed_loop, open_loop
from benchmarks.http_requests import realistic_requests
from benchmarks.peers.check import TOLERANCE, Expected, require_right
from benchmarks.peers.compared import CLASSIC, Compared, Figures
from benchmarks.peers.environment import Say
from benchmarks.peers.errors import PeerError
from benchmarks.peers.runner import Peer


@dataclass(frozen=True)
class Server:
    """Something to measure: how it is started, and how right it must be."""

    start: Callable[[], AbstractContextManager[Peer]]
    tolerance: float = TOLERANCE
    warm_up_s: float = 0.0
    """If it takes longer than the plan's to run as it will."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int = 1
    seconds: float = 15.0
    warm_up_s: float = 4.0
    """Of the closed loop: until batches form, and answers come as often as requests go."""
    concurrency: int = 8
    rate_per_s: float | None = None
    """Of the open loop; None takes half of what `classic` carried in the first round."""


def given(url: str, tolerance: float) -> Server:
    """Return a server that somebody else has started."""

    @contextmanager
    def start() -> Iterator[Peer]:
        yield Peer("given", url.rstrip("/"), None)

    return Server(start, tolerance)


Once = Callable[[str, Callable[[], Figures]], Figures]
"""Returns what was kept under a name, else measures."""


def _always(_name: str, measure: Callable[[], Figures]) -> Figures:
    return measure()


class Comparison:
    """Servers that are measured one at a time, in their order, with the same requests."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        expected: Sequence[Expected],
        plan: Plan,
        say: Say,
        once: Once = _always,
    ) -> None:
        self._servers = servers
        self._expected = expected
        self._plan = plan
        self._say = say
        self._once = once
        self._requests = realistic_requests("multimodal")
        self._rate_per_s = plan.rate_per_s
        self._found: dict[str, list[Figures]] = {name: [] for name in servers}
        self._failed: dict[str, str] = {}

    def run(self) -> list[Compared]:
        """Go through all rounds; who does not start or answers wrongly is left out, and said."""
        for number in range(1, self._plan.rounds + 1):
            for name in [name for name in self._servers if name not in self._failed]:
                self._say(f"round {number} of {self._plan.rounds}: {name} ...")
                try:
                    self._found[name].append(self._round(number, name))
                except (PeerError, LoadError) as error:
                    self._failed[name] = str(error)
                    self._say(f"{name}: {error}")
        return self.results()

    def results(self) -> list[Compared]:
        """Return what was measured so far."""
        return [
            Compared(name, tuple(rounds), self._failed.get(name))
            for name, rounds in self._found.items()
        ]

    def _round(self, number: int, name: str) -> Figures:
        server = self._servers[name]
        figures = self._once(f"{name}-{number}", lambda: self._measure(server))
        self._rate_per_s = self._rate_per_s or figures.rate_per_s  # where it was kept
        return figures

    def _measure(self, server: Server) -> Figures:
        plan = self._plan
        with server.start() as peer:
            difference = require_right(peer.url, self._expected, server.tolerance)
            closed = closed_loop(
                peer.url,
                self._requests,
                concurrency=plan.concurrency,
                seconds=plan.seconds,
                warm_up_s=max(plan.warm_up_s, server.warm_up_s),
            )
            if self._rate_per_s is None and peer.name == CLASSIC:
                self._rate_per_s = closed.per_second / 2
            opened = self._open(peer)
            return Figures(difference, closed, self._rate_per_s, opened, peer.resident_mb())

    def _open(self, peer: Peer) -> LoadResult | None:
        """Measure at the rate that is the same for all, with a server that is warm already."""
        rate, seconds = self._rate_per_s, self._plan.seconds
        if rate is None:
            return None
        return open_loop(peer.url, self._requests, rate_per_s=rate, seconds=seconds, warm_up_s=0.0)
