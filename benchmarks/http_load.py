"""A small HTTP load generator: closed loop and open loop, over the same requests every time.

It takes one thread of one process, which should not be the server's.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import numpy as np

from benchmarks.http_client import Sample, Send, run
from benchmarks.http_requests import Request

Arrivals = Literal["even", "poisson"]


class LoadError(RuntimeError):
    """Nothing was answered, so there is nothing to report; the text says why."""


@dataclass(frozen=True)
class LoadResult:
    """What clients saw in the counted window."""

    requests: int
    """How many were answered with 200."""
    errors: int
    """How many got another status, or no answer within two minutes."""
    per_second: float
    """Answered with 200 within the window, by its length."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    audio_seconds_per_second: float


def closed_loop(
    url: str,
    requests: Sequence[Request],
    *,
    concurrency: int,
    seconds: float,
    warm_up_s: float = 2.0,
) -> LoadResult:
    """Keep `concurrency` requests in flight; count what completes in `seconds` after warming up.

    One that is in flight at either edge of the window counts if it completes within it. The
    last ones are waited for, so that the server is idle afterwards.

    Raises:
        LoadError: no request was answered within the window.
    """
    order = cycle(requests)

    async def load(send: Send, begin: float) -> list[Sample]:
        async def client() -> list[Sample]:
            samples = []
            while (now := time.perf_counter()) < begin + warm_up_s + seconds:
                samples.append(await send(next(order), now))
            return samples

        clients = await asyncio.gather(*(client() for _ in range(concurrency)))
        return [sample for samples in clients for sample in samples]

    begin, samples = run(url, load)
    window = (begin + warm_up_s, begin + warm_up_s + seconds)
    return _result([one for one in samples if _within(one, window)], window)


def open_loop(
    url: str,
    requests: Sequence[Request],
    *,
    rate_per_s: float,
    seconds: float,
    arrivals: Arrivals = "poisson",
    warm_up_s: float = 2.0,
) -> LoadResult:
    """Send at a fixed rate, however slow the answers; count what is due in `seconds`.

    The times are the same for every server. Latency counts from when a request was due, so
    that queueing, here or there, is not hidden.

    Raises:
        LoadError: no request was answered.
    """
    order = cycle(requests)
    warming = _due_s(rate_per_s, warm_up_s, arrivals)
    counted = [warm_up_s + due for due in _due_s(rate_per_s, seconds, arrivals)]

    async def load(send: Send, begin: float) -> list[Sample]:
        async def one(request: Request, due: float) -> Sample:
            await asyncio.sleep(due - time.perf_counter())
            return await send(request, due)

        return await asyncio.gather(*(one(next(order), begin + due) for due in warming + counted))

    begin, samples = run(url, load)
    window = (begin + warm_up_s, begin + warm_up_s + seconds)
    return _result([one for one in samples if one.due >= window[0]], window)


def _due_s(rate_per_s: float, seconds: float, arrivals: Arrivals) -> list[float]:
    """Return when requests are due: `rate` times `seconds` of them, whatever chance says."""
    count = round(rate_per_s * seconds)
    if arrivals == "even":
        return [number / rate_per_s for number in range(count)]
    # Given their number, the arrivals of a Poisson process are spread like this.
    chance = random.Random(0)
    return sorted(chance.uniform(0, seconds) for _ in range(count))


def _within(sample: Sample, window: tuple[float, float]) -> bool:
    return window[0] <= sample.done < window[1]


def _result(samples: Sequence[Sample], window: tuple[float, float]) -> LoadResult:
    answered = [one for one in samples if one.error is None]
    if not answered:
        said = next((one.error for one in samples), "take a longer window")
        raise LoadError(f"no request was answered within {window[1] - window[0]:g} s: {said}")
    latencies_ms = [(one.done - one.due) * 1000 for one in answered]
    p50, p95, p99 = np.percentile(latencies_ms, [50, 95, 99]).tolist()
    completed = [one for one in answered if _within(one, window)]
    length_s = window[1] - window[0]
    return LoadResult(
        requests=len(answered),
        errors=len(samples) - len(answered),
        per_second=len(completed) / length_s,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        audio_seconds_per_second=sum(one.audio_seconds for one in completed) / length_s,
    )
