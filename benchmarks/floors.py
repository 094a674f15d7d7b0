"""`python -m benchmarks.floors`: the least time that this machine's hardware allows a model.

A run takes at least as long as its operations at the measured peak of matrix products, and at
least as long as reading its weights at the measured bandwidth (a small model's weights may
stay in a large cache, and then the second bound can be beaten). Nothing is assumed of the
processor: peaks are the best of many short trials, through the libraries that run the models.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from transformers import AutoConfig

from benchmarks.operations import Work, work
from benchmarks.points import Device
from benchmarks.products import finished, fp32_products, int8_products, products_on
from benchmarks.tables import markdown
from ensemble.clips import SAMPLE_RATE_HZ

CONFIGS = Path(__file__).with_name("full_size")

TRIAL_S = 0.6
_ARRAY_BYTES = 2**28  # far more than any cache
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
_TOKENS = (8, 32, 128)
_SECONDS = (1, 4, 12)


@dataclass(frozen=True)
class Peaks:
    """What the machine can do at most with so many threads."""

    threads: int
    flops: dict[str, float]
    """Operations per second in matrix products, by precision."""
    bandwidth: float
    """Bytes per second from memory."""


def measure(threads: int, trial_s: float = TRIAL_S, device: Device = "cpu") -> Peaks:
    """Measure the peaks; takes about ten trials of `trial_s`. A GPU's are float32's and float16's.

    A machine that is busy with something else gives too low peaks, thus too high floors.
    """
    if device != "cpu":
        types = {"fp32": torch.float32, "fp16": torch.float16}
        flops = {
            name: best_rate(products_on(device, kind), trial_s) for name, kind in types.items()
        }
        return Peaks(threads, flops, best_rate(_reads(threads, _ARRAY_BYTES, device), trial_s))
    flops = {
        "fp32": best_rate(fp32_products(threads), trial_s),
        "int8": best_rate(int8_products(threads), trial_s),
    }
    return Peaks(threads, flops, best_rate(_reads(threads, _ARRAY_BYTES), trial_s))


def best_rate(trials: Mapping[Callable[[], object], float], trial_s: float) -> float:
    """Return the highest rate per second of calls that each do a known amount."""
    return max(amount / _shortest(call, trial_s) for call, amount in trials.items())


def floor_s(done: Work, peaks: Peaks, precision: str) -> float:
    """Return the least seconds for that work.

    Raises:
        KeyError: no peak was measured for that precision.
    """
    reading_s = done.weights * _BYTES[precision] / peaks.bandwidth
    return max(done.operations / peaks.flops[precision], reading_s)


def floors_s(done: Work, peaks: Peaks) -> dict[str, float]:
    """Return the floor at each precision that has a peak."""
    return {precision: floor_s(done, peaks, precision) for precision in peaks.flops}


def request_floor_s(text: Work, audio: Work, peaks: Peaks, precision: str) -> float:
    """Return the least seconds that the machine spends on a request with a text and a clip."""
    return floor_s(text, peaks, precision) + floor_s(audio, peaks, precision)


def _reads(
    threads: int, array_bytes: int, device: Device = "cpu"
) -> dict[Callable[[], object], float]:
    """Return calls that read or copy a large array, and the bytes that each moves."""
    torch.set_num_threads(threads)
    source = torch.ones(array_bytes // 4, device=device)
    target = torch.empty_like(source)
    return {
        finished(source.sum, device): array_bytes,
        finished(lambda: target.copy_(source), device): 2 * array_bytes,
    }


def _shortest(call: Callable[[], object], trial_s: float) -> float:
    call()
    shortest, end = float("inf"), time.perf_counter() + trial_s
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def described(peaks: Peaks) -> str:
    """Return the peaks in a line."""
    rates = [f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in peaks.flops.items()]
    return ", ".join([*rates, f"memory {peaks.bandwidth / 1e9:.1f} GB/s"])


def table(threads: int, text: Any, audio: Any) -> str:
    """Return the machine's peaks and what they allow both architectures, as Markdown."""
    peaks = measure(threads)
    works = {f"text, {n} tokens": work("text", text, n) for n in _TOKENS}
    works |= {f"audio, {s} s": work("audio", audio, s * SAMPLE_RATE_HZ) for s in _SECONDS}
    rows = [
        [name, f"{one.operations / 1e9:.1f}", f"{one.weights / 1e6:.1f}"]
        + [f"{floor * 1e3:.1f}" for floor in floors_s(one, peaks).values()]
        for name, one in works.items()
    ]
    columns = ["batch 1", "GFLOP", "million weights", *(f"{p} floor ms" for p in peaks.flops)]
    return f"{described(peaks)}; {threads} threads\n\n{markdown(columns, rows)}"


def main(threads: Annotated[int, typer.Option(min=1)] = len(os.sched_getaffinity(0))) -> None:
    """Measure this machine's peaks and print the floors of both full-size architectures."""
    print("Measuring peaks, about 15 s ...", file=sys.stderr, flush=True)
    configs = [AutoConfig.from_pretrained(CONFIGS / branch) for branch in ("text", "audio")]
    print(table(threads, *configs))


if __name__ == "__main__":
    typer.run(main)
