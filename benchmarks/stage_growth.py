"""Stage 4: how cost grows with clip length, number of clients and Triton's instances."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks import inputs
from benchmarks.finished import Finished
from benchmarks.grpc_load import Asked, audio_seconds, clips_only, mixed, per_second
from benchmarks.instances import Division, divided_triton, divisions
from benchmarks.memory import by_process
from benchmarks.plan import Plan
from benchmarks.prepare import BEST, Prepared
from benchmarks.results import Grown, Results
from benchmarks.stack import Stack, best_stack
from export.progress import Progress

_FEWEST = 8
"""Requests at a point."""
_SECONDS_OF_SPEECH = 96
"""Sent at a point of short clips."""


def run(prepared: Prepared, plan: Plan, finished: Finished, threads: int, say: Progress) -> Results:
    """Measure every point that is not finished."""
    with best_stack(prepared, say) as stack:
        of_stack = [*lengths(stack, plan, finished, say), *clients(stack, plan, finished, say)]
    of_triton = [
        _divided(prepared, division, plan, finished, say) for division in divisions(threads)
    ]
    return Results(growth=[*of_stack, *of_triton])


def lengths(stack: Stack, plan: Plan, finished: Finished, say: Progress) -> Iterator[Grown]:
    """Send clips that are all as long as one another."""
    for seconds in plan.lengths_s:
        count = max(_FEWEST, round(_SECONDS_OF_SPEECH / seconds))
        requests = clips_only(inputs.equal_clips(seconds, _FEWEST), count)
        say(f"{count} clips of {seconds:g} s, {plan.in_flight} in flight")
        measure = partial(_of_stack, stack, "clip length, s", seconds, requests, plan.in_flight)
        yield finished.once(f"growth-length-{seconds:g}", Grown, measure)


def clients(stack: Stack, plan: Plan, finished: Finished, say: Progress) -> Iterator[Grown]:
    """Keep more and more requests in flight."""
    for count in plan.clients:
        requests = mixed(max(plan.requests // 2, count))
        say(f"{count} clients of emotion_multimodal")
        measure = partial(_of_stack, stack, "clients", count, requests, count)
        yield finished.once(f"growth-clients-{count}", Grown, measure)


def _of_stack(
    stack: Stack, varied: str, value: float, requests: Sequence[Asked], in_flight: int
) -> Grown:
    return _grown(varied, value, stack.triton_grpc, requests, in_flight, stack.pids)


def _divided(
    prepared: Prepared, division: Division, plan: Plan, finished: Finished, say: Progress
) -> Grown:
    """Measure a Triton of its own whose audio classifier divides the cores in one way."""

    def measure() -> Grown:
        say(f"audio_classifier: {division} ...")
        requests = clips_only(inputs.cut_clips(), plan.requests)
        with divided_triton(prepared.repository(BEST), prepared.work, division) as (url, pids):
            varied, value = "instances of audio_classifier", division.instances
            return _grown(varied, value, url, requests, plan.in_flight, pids)

    return finished.once(f"growth-instances-{division.instances}", Grown, measure)


def _grown(
    varied: str,
    value: float,
    url: str,
    requests: Sequence[Asked],
    in_flight: int,
    pids: Callable[[], set[int]],
) -> Grown:
    rate = per_second(url, requests, in_flight)
    return Grown(
        varied=varied,
        value=value,
        per_second=rate,
        audio_seconds_per_second=rate * audio_seconds(requests) / len(requests),
        memory_mb=by_process(pids()),
    )
