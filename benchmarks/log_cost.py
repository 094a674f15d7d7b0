"""What the prediction log costs: two APIs beside each other before one Triton, one without it.

`python -m benchmarks.log_cost` is the API without the log; nothing else of it is different.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

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
_WARM_UP_S, _ROUND_S = 1.0, 3.0  # many short ones: a machine's pace changes within seconds


@dataclass
class LogCost:
    """What clients saw, a figure a round, with the log and without it in turn."""

    with_log: list[float] = field(default_factory=list)
    """Requests per second."""
    without: list[float] = field(default_factory=list)
    p50_with_ms: list[float] = field(default_factory=list)
    p50_without_ms: list[float] = field(default_factory=list)
    write_p50_ms: float = 0.0
    """What half of the writes took at most, which an answer waits for; between two buckets."""

    @property
    def throughput_ratio(self) -> float:
        """Of all that was answered, with the log over without.

        Not of medians: a change of the machine's pace is in both sums, but not in both medians.
        """
        return math.fsum(self.with_log) / math.fsum(self.without)


def measure_log_cost(
    stack: Stack, state: Path, rounds: int, clients: int, say: Callable[[str], None]
) -> LogCost:
    """Load the API with the log and one without it in turn, with the same requests."""
    cost = LogCost()
    with (
        _api("api", stack, state) as with_log,
        _api("benchmarks.log_cost", stack, state) as without,
    ):
        measured = [
            (with_log, cost.with_log, cost.p50_with_ms),
            (without, cost.without, cost.p50_without_ms),
        ]
        for number in range(rounds):
            say(f"with and without the log, round {number + 1} of {rounds} ...")
            # A machine that gets slower or quicker meanwhile is so for both alike.
            for url, rates, waits in measured if number % 2 else reversed(measured):
                seen = closed_loop(
                    url,
                    mixed_requests(),
                    concurrency=clients,
                    seconds=_ROUND_S,
                    warm_up_s=_WARM_UP_S,
                )
                rates.append(seen.per_second)
                waits.append(seen.p50_ms)
        text = httpx.get(f"{with_log}/metrics", timeout=10).raise_for_status().text
        cost.write_p50_ms = 1000 * median_of(text, "neurosense_log_write_seconds")
    return cost


def median_of(metrics: str, histogram: str) -> float:
    """Return the median of what a histogram counted, as PromQL's `histogram_quantile` does."""
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    buckets = [
        (float(one.labels["le"]), one.value)
        for one in families[histogram].samples
        if one.name == f"{histogram}_bucket"
    ]
    half, low, below = buckets[-1][1] / 2, 0.0, 0.0
    for high, count in buckets:
        if count >= half > below:
            if high == math.inf:
                return low  # of those beyond the last bound it is only known that they are
            return low + (high - low) * (half - below) / (count - below)
        low, below = high, count
    return math.nan


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
