"""What is to be reached on one data-centre GPU at fp16, and what was."""

from collections.abc import Sequence

from benchmarks.points import EAGER_FP16, OURS, TYPICAL, Point
from benchmarks.results import CLASSIC, Results
from benchmarks.results import OURS as OUR_SERVICE
from benchmarks.target import Target
from export.manifest import Branch

_BATCH = 32
_SWEPT = "emotion_multimodal"


def of_gpu(results: Results) -> bool:
    """Return whether the results are of a GPU."""
    return any(EAGER_FP16 in one.timings for one in results.models) or any(
        one.gpu_busy is not None for one in results.service
    )


def gpu_targets(results: Results) -> Sequence[Target]:
    """Return all targets with what the results say of them."""
    rates = {one.name: one.per_second() for one in results.peers if one.rounds}
    ours, classic = rates.get(OUR_SERVICE), rates.get(CLASSIC)
    busy = [one.gpu_busy for one in results.service if one.model == _SWEPT and one.gpu_busy]
    return [
        *(_of_peak(results, branch) for branch in ("audio", "text")),
        Target(
            "service over bare ONNX sessions at their best batch",
            "requests per second",
            "at least",
            0.85,
            results.whole.service_over_sessions,
        ),
        Target(
            "HTTP API over the classic design on the same GPU",
            "requests per second",
            "at least",
            10.0,
            ours / classic if ours and classic else None,
        ),
        Target("GPU busy at most", _SWEPT, "at least", 0.9, max(busy, default=None)),
    ]


def _of_peak(results: Results, branch: Branch) -> Target:
    point = Point(branch, TYPICAL[branch], _BATCH)
    one = next((one for one in results.models if one.point == point), None)
    variant = f"{OURS}fp16"
    reached = one.reached(variant) if one and variant in one.timings else None
    return Target(f"{point}, fp16", "of the measured peak of products", "at least", 0.4, reached)
