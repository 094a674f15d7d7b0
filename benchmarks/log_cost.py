"""What the prediction log costs: two APIs beside each other before one Triton, one without it.

`python -m benchmarks.log_cost` is the API without the log; nothing else of it is different.
"""

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.__main__ import run
from api.app import create_app
from api.log import PredictionLog
from api.rows import Row
from api.settings import load
from benchmarks.chaos.mix import mixed_requests
from benchmarks.http_load import closed_loop
from benchmarks.stack import Stack
from serving.ports import answers, free_ports
from serving.process import Child

_PROJECT = Path(__file__).resolve().parent.parent
_ROUND_S = 10.0


@dataclass
class LogCost:
    """What so many clients saw, a figure a round, with the log and without it in turn."""

    clients: int
    with_log: list[float] = field(default_factory=list)
    """Requests per second."""
    without: list[float] = field(default_factory=list)
    p50_with_ms: list[float] = field(default_factory=list)
    p50_without_ms: list[float] = field(default_factory=list)

    @property
    def throughput_ratio(self) -> float:
        """Of the medians, with the log over without."""
        return statistics.median(self.with_log) / statistics.median(self.without)

    @property
    def slower_ms(self) -> float:
        """Difference of the medians of p50, with the log less without."""
        return statistics.median(self.p50_with_ms) - statistics.median(self.p50_without_ms)


def measure_log_cost(
    stack: Stack, state: Path, rounds: int, clients: Sequence[int], say: Callable[[str], None]
) -> list[LogCost]:
    """Load the API with the log and one without it in turn, by each number of clients."""
    costs = [LogCost(number) for number in clients]
    with (
        _api("api", stack, state) as with_log,
        _api("benchmarks.log_cost", stack, state) as without,
    ):
        for number in range(rounds):
            say(f"with and without the log, round {number + 1} of {rounds} ...")
            for cost in costs:
                measured = [
                    (with_log, cost.with_log, cost.p50_with_ms),
                    (without, cost.without, cost.p50_without_ms),
                ]
                # A machine that gets slower or quicker meanwhile is so for both alike.
                for url, rates, waits in measured if number % 2 else reversed(measured):
                    seen = closed_loop(
                        url, mixed_requests(), concurrency=cost.clients, seconds=_ROUND_S
                    )
                    rates.append(seen.per_second)
                    waits.append(seen.p50_ms)
    return costs


@contextmanager
def _api(module: str, stack: Stack, state: Path) -> Iterator[str]:
    [port] = free_ports(1)
    variables = {
        "NEUROSENSE_API_PORT": str(port),
        "NEUROSENSE_TRITON_GRPC_URL": stack.triton_grpc,
        "DATABASE_URL": (state / "database_url").read_text().strip(),
        "NEUROSENSE_SPOOL_DIR": str(state / module / "spool"),
    }
    log = state / "logs" / f"{module}.log"
    child = Child(
        module, [sys.executable, "-m", module], log, env={**os.environ, **variables}, cwd=_PROJECT
    )
    url = f"http://127.0.0.1:{port}"
    try:
        child.wait_until(lambda: answers(f"{url}/health/ready", 2), 60)
        yield url
    finally:
        child.stop()


async def _keep_nothing(_self: PredictionLog, _row: Row) -> None:
    pass


if __name__ == "__main__":
    settings = load()
    setattr(PredictionLog, "write", _keep_nothing)  # noqa: B010  for the type checker
    run(create_app(settings), settings)
