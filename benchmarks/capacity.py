"""How much a load needs, from what one replica, one request and one row were measured to cost.

`python -m benchmarks.capacity` prints deploy/capacity.md's table. Requests come at random (Poisson)
and are spread over the replicas in turn, each of which takes one clip after the other. The smallest
number of replicas whose simulated p99 is within the limit is what is needed.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.queueing import arrivals_s, round_robin
from benchmarks.replica import AUDIO_PER_S, CLIP_S, service_s

API_CPU_S = 0.0047
"""CPU time of the API for a request with a text and a clip, its log row included."""
API_BUSY = 0.7
"""Of a core, above which the chart adds an API pod."""
ROW_BYTES = 893
"""Of a row with its indexes in PostgreSQL."""

_FEWEST, _MOST = 20_000, 2_000_000
"""Requests that are simulated: an hour's, but enough of them for a p99, and not forever."""


@dataclass(frozen=True)
class Load:
    """What is asked of the service."""

    audio_hours_a_day: float
    peak: float = 3.0
    """The busiest hour over the mean one."""

    @property
    def per_day(self) -> float:
        """Requests in a day."""
        return self.audio_hours_a_day * 3600 / (sum(CLIP_S) / 2)

    @property
    def peak_per_s(self) -> float:
        """Requests per second in the busiest hour."""
        return self.per_day / 86_400 * self.peak


@dataclass(frozen=True)
class Need:
    """What carries it."""

    load: Load
    replicas: int
    busy: float
    """Of the replicas' time, in the busiest hour."""
    p99_s: float
    """Of a request's wait and service there, simulated."""

    @property
    def api_pods(self) -> int:
        """Pods of one process each; two at the least, so that one may be lost."""
        return max(2, math.ceil(self.load.peak_per_s * API_CPU_S / API_BUSY))

    @property
    def database_bytes_a_day(self) -> float:
        """What the prediction log grows by."""
        return self.load.per_day * ROW_BYTES


def simulated_p99_s(
    load: Load, replicas: int, audio_per_s: float = AUDIO_PER_S, seed: int = 0
) -> float:
    """Return the p99 of wait and service in the busiest hour."""
    random = np.random.default_rng(seed)
    count = round(min(max(load.peak_per_s * 3600, _FEWEST), _MOST))
    services = service_s(random.uniform(*CLIP_S, count), audio_per_s)
    waits = round_robin(arrivals_s(load.peak_per_s, count, random), services, replicas)
    return float(np.percentile(waits + services, 99))


def needed(load: Load, p99_limit_s: float = 3.0, audio_per_s: float = AUDIO_PER_S) -> Need:
    """Return the least that keeps the p99 within the limit.

    Raises:
        ValueError: the limit is shorter than the longest clip takes by itself.
    """
    longest_s = float(service_s(np.array([CLIP_S[1]]), audio_per_s)[0])
    if p99_limit_s <= longest_s:
        raise ValueError(f"a clip of {CLIP_S[1]:g} s takes {longest_s:.2f} s by itself")
    mean_s = float(service_s(np.linspace(*CLIP_S, 1001), audio_per_s).mean())
    offered = load.peak_per_s * mean_s
    low, high = math.floor(offered), max(2, math.ceil(offered * 2 + 2))  # low is too few
    while high - low > 1:
        middle = (low + high) // 2
        enough = simulated_p99_s(load, middle, audio_per_s) <= p99_limit_s
        low, high = (low, middle) if enough else (middle, high)
    return Need(load, high, offered / high, simulated_p99_s(load, high, audio_per_s))


def table(needs: Sequence[Need]) -> str:
    """Return the needs as a table, one column each."""
    rows = {
        "audio-hours a day": [f"{n.load.audio_hours_a_day:,.0f}" for n in needs],
        "requests a day": [f"{n.load.per_day:,.0f}" for n in needs],
        "requests per second, busiest hour": [f"{n.load.peak_per_s:,.2f}" for n in needs],
        "Triton replicas": [f"{n.replicas:,}" for n in needs],
        "busy in the busiest hour": [f"{n.busy:.0%}" for n in needs],
        "p99 there": [f"{n.p99_s:.1f} s" for n in needs],
        "API pods": [f"{n.api_pods:,}" for n in needs],
        "log rows a year": [f"{n.load.per_day * 365:,.0f}" for n in needs],
        "PostgreSQL, growth a day": [_size(n.database_bytes_a_day) for n in needs],
        "PostgreSQL, a year": [_size(n.database_bytes_a_day * 365) for n in needs],
    }
    (head, columns), *rest = rows.items()
    lines = [f"| {head} | {' | '.join(columns)} |", "|---|" + "--:|" * len(needs)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rest)])


def _size(count: float) -> str:
    for unit in ("MB", "GB"):
        count /= 1000 if unit == "GB" else 1e6
        if count < 1000:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--peak", type=float, default=3.0, help="busiest hour over the mean one")
    parser.add_argument("--p99-s", type=float, default=3.0, help="longest p99, in seconds")
    parser.add_argument(
        "--audio-per-s",
        type=float,
        default=AUDIO_PER_S,
        help="seconds of speech that one replica of yours carries in a second: `make bench` or "
        "`python -m benchmarks.service --url` against it says so (audio s per s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    try:
        found = [needed(Load(h, given.peak), given.p99_s, given.audio_per_s) for h in given.hours]
    except ValueError as error:
        raise SystemExit(f"--p99-s: {error}") from None
    print(table(found))
