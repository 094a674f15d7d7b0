"""`python -m benchmarks.overload`: five times what the service can do, and what clients see then.

And what the prediction log costs: the same load with and without it, in turn.

With models of the published sizes: what refusing and logging cost is seen beside what answering
costs. The capacity is what as many clients get as the API lets in.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer
import uvloop

from api.settings import Settings
from benchmarks.chaos.load import Load
from benchmarks.chaos.mix import mixed_requests
from benchmarks.chaos.outcome import Outcome
from benchmarks.command import run_app, say
from benchmarks.http_load import LoadError, LoadResult, closed_loop
from benchmarks.http_requests import Request
from benchmarks.log_cost import LogCost, measure_log_cost
from benchmarks.peers.errors import PeerError
from benchmarks.prepare import BEST, prepare
from benchmarks.stack import best_stack
from benchmarks.tables import markdown
from export.errors import ExportError
from serving.errors import ServingError

_RESULTS = Path(__file__).resolve().parent / "results"
_PREPARED = Path(".neurosense") / "bench"
_TIMES = 5
_CLIENTS: int = Settings.model_fields["max_concurrent_requests"].default
_CLIENT_LIMIT_S = 30.0
_PARTS = 10
_BUSY_S = 15.0
_WARM_UP_S = 2.0
_COLUMNS = ("promise", "measured", "holds")
_app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Overload:
    """What the overload showed, and the capacity measured before, between and after its parts."""

    capacity_per_s: float
    """The mean: a machine that gets slower or quicker meanwhile is so for both."""
    capacity_p99_ms: float
    offered_per_s: float
    goodput_per_s: float
    accepted_p99_ms: float
    refused: int
    refused_p99_ms: float
    others: dict[str, int]
    """What was neither answered nor refused cleanly with 429 or 503."""
    memory_mb: list[float]
    """Of all processes, at the end of each part."""

    def lines(self) -> list[tuple[str, str, str]]:
        """Return what was promised, what was measured, and whether it holds."""
        goodput = self.goodput_per_s / self.capacity_per_s
        slower = self.accepted_p99_ms / self.capacity_p99_ms
        growth = self.memory_mb[-1] / self.memory_mb[0]
        checks = [
            ("goodput over capacity, at least 0.9", f"{goodput:.2f}", goodput >= 0.9),
            ("p99 of accepted over p99 at capacity, at most 3", f"{slower:.2f}", slower <= 3),
            (
                "p99 until a refusal, at most 100 ms",
                f"{self.refused_p99_ms:.0f} ms",
                self.refused_p99_ms <= 100,
            ),
            ("neither answered nor cleanly refused, 0", str(self.others or 0), not self.others),
            (
                "memory at the end over that after a tenth of the time",
                f"{growth:.3f}",
                growth <= 1.05,
            ),
        ]
        return [(what, figure, "yes" if holds else "no") for what, figure, holds in checks]


def measure_overload(
    url: str,
    memory_mb: Callable[[], float],
    seconds: float,
    say: Callable[[str], None],
    busy_s: float = _BUSY_S,
    parts: int = _PARTS,
) -> Overload:
    """Offer five times the capacity for `seconds`, in parts; before, between and after, measure it.

    A machine's pace changes by a tenth within minutes: what is divided must be near in time.
    """
    requests = mixed_requests()
    outcomes: list[Outcome] = []
    in_time, memory, capacities = 0, [], [_capacity(url, requests, busy_s, say)]
    for part in range(parts):
        rate = _TIMES * capacities[-1].per_second
        say(f"{rate / _TIMES:.1f} per second; offering {rate:.1f}, part {part + 1} of {parts} ...")
        flood, end, held_mb = uvloop.run(_flooded(url, requests, rate, seconds / parts, memory_mb))
        outcomes += flood
        in_time += sum(one.answered and one.done < end for one in flood)
        memory.append(held_mb)
        capacities.append(_capacity(url, requests, busy_s, say))
    answered = [o for o in outcomes if o.answered]
    refused = [o for o in outcomes if _refused(o)]
    others = [f"{o.status} {o.what}" for o in outcomes if not (o.answered or _refused(o))]
    return Overload(
        capacity_per_s=fmean(one.per_second for one in capacities),
        capacity_p99_ms=fmean(one.p99_ms for one in capacities),
        offered_per_s=len(outcomes) / seconds,
        goodput_per_s=in_time / seconds,
        accepted_p99_ms=_p99_ms(answered),
        refused=len(refused),
        refused_p99_ms=_p99_ms(refused),
        others={what: others.count(what) for what in set(others)},
        memory_mb=memory,
    )


def _capacity(
    url: str, requests: Sequence[Request], seconds: float, say: Callable[[str], None]
) -> LoadResult:
    say(f"measuring the capacity with {_CLIENTS} clients ...")
    return closed_loop(url, requests, concurrency=_CLIENTS, seconds=seconds)


async def _flooded(
    url: str,
    requests: Sequence[Request],
    rate: float,
    seconds: float,
    memory_mb: Callable[[], float],
) -> tuple[list[Outcome], float, float]:
    """Return what ended after a warm-up, when the `seconds` after that did, and the memory then."""
    flood = Load(url, requests, rate, _CLIENT_LIMIT_S)
    running = asyncio.create_task(flood.run())
    await asyncio.sleep(_WARM_UP_S)
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    end = time.monotonic()
    held_mb = await asyncio.to_thread(memory_mb)
    flood.stop()
    return [one for one in await running if one.done >= begin], end, held_mb


def _refused(outcome: Outcome) -> bool:
    return outcome.status in (429, 503) and outcome.clean


def _p99_ms(outcomes: Sequence[Outcome]) -> float:
    waits = [(one.done - one.sent) * 1000 for one in outcomes]
    return float(np.percentile(waits, 99)) if waits else 0.0


def _log_lines(cost: LogCost) -> list[tuple[str, str, str]]:
    """Return what the log may cost, and does.

    The answers' own medians do not tell: between texts and recordings they jump further.
    """
    ratio, write_ms = cost.throughput_ratio, cost.write_p50_ms
    return [
        ("throughput with the log over without, at least 0.97", f"{ratio:.3f}",
         "yes" if ratio >= 0.97 else "no"),
        ("median wait for the log, at most 3 ms", f"{write_ms:.1f} ms",
         "yes" if write_ms <= 3 else "no"),
    ]  # fmt: skip


@_app.command()
def overload(
    seconds: Annotated[float, typer.Option(help="how long to overload it")] = 600.0,
    rounds: Annotated[int, typer.Option(help="rounds with and without the log")] = 80,
    output: Annotated[
        Path, typer.Option(help="holds a folder for each day", show_default="benchmarks/results")
    ] = _RESULTS,
) -> None:
    """Offer five times the capacity for ten minutes; then compare with and without the log.

    Exit code 1 if a promise was not kept. Ctrl-C stops everything.
    """
    prepared = prepare(_PREPARED.absolute(), say)
    with best_stack(prepared, say, let_in=None) as stack:
        seen = measure_overload(
            stack.api_url, lambda: sum(stack.memory_mb().values()), seconds, say
        )
        say(markdown(_COLUMNS, seen.lines()))  # stands if what follows is interrupted
        cost = measure_log_cost(stack, prepared.state(BEST), rounds, _CLIENTS, say)
    lines = [*seen.lines(), *_log_lines(cost)]
    report = markdown(_COLUMNS, lines)
    folder = output / datetime.now(UTC).strftime("%Y-%m-%d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overload.md").write_text(f"{report}\n")
    content = {"overload": asdict(seen), "log": asdict(cost)}
    (folder / "overload.json").write_text(f"{json.dumps(content, indent=2)}\n")
    print(report)
    if any(holds == "no" for _, _, holds in lines):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(_app, "benchmarks.overload", ExportError, LoadError, PeerError, ServingError)


if __name__ == "__main__":
    main()
