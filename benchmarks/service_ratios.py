"""The service compared with what it is made of, each pair in turn, round after round."""

from collections.abc import Callable
from functools import partial
from statistics import fmean

from benchmarks import inputs
from benchmarks.bare import BareSessions
from benchmarks.finished import Finished
from benchmarks.grpc_load import Asked, clips_only, mixed, per_second
from benchmarks.measurements import analysis
from benchmarks.plan import Plan
from benchmarks.results import Ratio
from benchmarks.server import running_triton
from benchmarks.service_loads import closed, load
from benchmarks.stack import Stack
from export.progress import Progress

_UNIT = "requests per second"


class ServiceRatios:
    """Ratios of one service, each kept as soon as it is measured."""

    def __init__(self, stack: Stack, plan: Plan, finished: Finished, say: Progress) -> None:
        self._stack = stack
        self._plan = plan
        self._finished = finished
        self._say = say

    def api_over_triton(self) -> Ratio:
        """Compare the API with Triton asked directly, with texts."""
        direct = load(self._plan, "emotion_text", self._plan.in_flight)
        with (
            running_triton(self._stack.triton_grpc, "grpc") as server,
            analysis(server, inputs.read_sentences(), inputs.cut_clips()) as one,
        ):
            return self._ratio(
                "API over Triton direct, text only",
                lambda: closed(self._stack, self._plan, "text").per_second,
                lambda: one.measure(direct).latency.per_second,
            )

    def over_sessions(self, bare: BareSessions, requests: list[Asked]) -> Ratio:
        """Compare the service with its graphs in a plain loop, which runs while it is idle."""
        name = "service over bare ONNX sessions"
        return self._ratio(name, partial(self._service, requests), bare.per_second)

    def mixed_over_equal(self) -> Ratio:
        """Compare clips of all lengths with as many of their mean length.

        Both are as many requests and as many seconds: it is the ratio of audio seconds too.
        """
        clips = inputs.cut_clips()
        equal = inputs.equal_clips(fmean(clip.seconds for clip in clips), len(clips))
        return self._ratio(
            "mixed over equal clip lengths",
            partial(self._service, clips_only(clips, self._plan.requests)),
            partial(self._service, clips_only(equal, self._plan.requests)),
        )

    def _service(self, requests: list[Asked]) -> float:
        return per_second(self._stack.triton_grpc, requests, self._plan.in_flight)

    def _ratio(self, name: str, one: Callable[[], float], base: Callable[[], float]) -> Ratio:
        def measure() -> Ratio:
            pairs = []
            for number in range(1, self._plan.rounds + 1):
                self._say(f"{name}, round {number} of {self._plan.rounds}")
                pairs.append((one(), base()))
            return Ratio(name, _UNIT, pairs)

        file = "ratio-" + "-".join(name.replace(",", "").split())
        return self._finished.once(file, Ratio, measure)


def requests_of(plan: Plan) -> list[Asked]:
    """Return what the service and the bare sessions are both asked."""
    return mixed(plan.requests)
