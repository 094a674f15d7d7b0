"""The loads that a running service is put under: perf_analyzer on Triton, HTTP on the API."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from benchmarks import inputs
from benchmarks.analyzer import Load, Protocol
from benchmarks.devices import busy
from benchmarks.finished import Finished
from benchmarks.http_load import LoadResult, closed_loop
from benchmarks.http_requests import MODALITIES, Modality, realistic_requests
from benchmarks.measurements import Analysis, analysis
from benchmarks.plan import Plan
from benchmarks.report import Measurement
from benchmarks.results import ApiLoad
from benchmarks.server import running_triton
from benchmarks.service import ENSEMBLES
from benchmarks.stack import Stack
from export.progress import Progress

_SWEPT = "emotion_multimodal"
_WARM_UP_S = 1.0


def load(plan: Plan, model: str, in_flight: int) -> Load:
    """Return a load of an ensemble with so many requests in flight."""
    window_s = plan.window_s / (2 if model == "emotion_text" else 1)
    return Load(model, in_flight, window_s)


def closed(stack: Stack, plan: Plan, modality: Modality) -> LoadResult:
    """Keep requests to the public API in flight."""
    return closed_loop(
        stack.api_url,
        realistic_requests(modality),
        concurrency=plan.in_flight,
        seconds=plan.api_s,
        warm_up_s=_WARM_UP_S,
    )


class ServiceLoads:
    """Loads of one service, each kept as soon as it is measured."""

    def __init__(self, stack: Stack, plan: Plan, finished: Finished, say: Progress) -> None:
        self._stack = stack
        self._plan = plan
        self._finished = finished
        self._say = say

    def triton(self) -> list[Measurement]:
        """Measure the ensembles over gRPC and HTTP, and one of them at fixed rates."""
        plan = self._plan
        levels = [load(plan, name, level) for name in ENSEMBLES for level in plan.levels]
        over_grpc = list(self._analysed("grpc", levels))
        over_http = self._analysed("http", [load(plan, name, plan.in_flight) for name in ENSEMBLES])
        return [*over_grpc, *over_http, *self._rates()]

    def api(self, modalities: Sequence[Modality] = MODALITIES) -> list[ApiLoad]:
        """Measure the public API with requests of each kind."""
        return [self._api(modality) for modality in modalities]

    def _rates(self) -> list[Measurement]:
        """Send at parts of the rate that the service was just found to carry."""
        plan = self._plan
        (most,) = self._analysed("grpc", [load(plan, _SWEPT, plan.in_flight)])  # kept already
        carried = most.latency.per_second
        rates = [Load(_SWEPT, 0, plan.window_s, part * carried) for part in plan.rates]
        return list(self._analysed("grpc", rates))

    def _analysed(self, protocol: Protocol, loads: list[Load]) -> Iterator[Measurement]:
        url = self._stack.triton_grpc if protocol == "grpc" else self._stack.triton_http
        with (
            running_triton(url, protocol) as server,
            analysis(server, inputs.read_sentences(), inputs.cut_clips()) as one,
        ):
            for number, each in enumerate(loads):
                how = f"rate-{number}" if each.rate_per_s else f"{each.concurrency}"
                name = f"service-{protocol}-{each.model}-{how}"
                self._say(_described(each, protocol))
                yield self._finished.once(name, Measurement, partial(self._measured, one, each))

    def _measured(self, one: Analysis, each: Load) -> Measurement:
        with busy(self._plan.device) as share:
            measured = one.measure(each)
        return replace(measured, gpu_busy=share())

    def _api(self, modality: Modality) -> ApiLoad:
        self._say(f"the API, {modality}, {self._plan.in_flight} in flight")
        measure = partial(closed, self._stack, self._plan, modality)
        result = self._finished.once(f"api-{modality}", LoadResult, measure)
        return ApiLoad(modality, self._plan.in_flight, result)


def _described(one: Load, protocol: Protocol) -> str:
    if one.rate_per_s is None:
        return f"{one.model} over {protocol}, {one.concurrency} in flight"
    return f"{one.model} over {protocol}, {one.rate_per_s:.2f} per second"
