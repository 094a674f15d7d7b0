"""What is to be reached on a CPU, what was, and what the machine would allow at most.

Only the targets themselves are written here; everything else comes from the results.
"""

from collections.abc import Sequence

from benchmarks.gpu_targets import gpu_targets, of_gpu
from benchmarks.points import EAGER, TYPICAL, Measured, Point
from benchmarks.points import OURS as OUR_VARIANT
from benchmarks.results import CLASSIC, OURS, Results
from benchmarks.target import Target
from export.manifest import Branch


def targets(results: Results) -> list[Target]:
    """Return all targets with what the results say of them: a GPU's, or a CPU's."""
    if of_gpu(results):
        return list(gpu_targets(results))
    return [
        *_model(results, "audio", fp32=1.5, best=4.0),
        *_model(results, "text", fp32=2.0, best=6.0),
        *_peers(results),
        *_whole(results),
    ]


def _model(results: Results, branch: Branch, fp32: float, best: float) -> list[Target]:
    point = Point(branch, TYPICAL[branch])
    one = next((one for one in results.models if one.point == point), None)
    what = "over PyTorch eager fp32"
    plain, fastest = OUR_VARIANT + "fp32", one.fastest_of_ours() if one else None
    return [
        Target(f"{point}, fp32", what, "at least", fp32, *_over_eager(one, plain, ["fp32"])),
        Target(f"{point}, best precision", what, "at least", best, *_over_eager(one, fastest)),
    ]


def _over_eager(
    one: Measured | None, variant: str | None, precisions: Sequence[str] = ()
) -> tuple[float | None, float | None]:
    """Return a variant's ratio to eager, and the floor's at these or at all precisions."""
    if one is None:
        return None, None
    floors_s = [one.floors_s[name] for name in precisions or one.floors_s if name in one.floors_s]
    return (
        None if variant is None else one.over_eager(variant),
        one.timings[EAGER].median_s / min(floors_s) if floors_s else None,
    )


def _peers(results: Results) -> list[Target]:
    rates = {one.name: one.per_second() for one in results.peers if one.rounds}
    classic = rates.get(CLASSIC)
    others = max(
        (rate for name, rate in rates.items() if name not in (CLASSIC, OURS)), default=None
    )
    ours, floor_s = rates.get(OURS), results.whole.request_floor_s
    most = 1 / floor_s if floor_s else None
    p99 = {one.name: one.p99_ms() for one in results.peers}
    throughput = "requests per second"
    return [
        Target(
            f"{_LOAD} over the classic design",
            throughput,
            "at least",
            4.0,
            _ratio(ours, classic),
            _ratio(most, classic),
        ),
        Target(
            f"{_LOAD} over the best other peer",
            throughput,
            "at least",
            1.5,
            _ratio(ours, others),
            _ratio(most, others),
        ),
        Target(
            "p99 at half the classic design's load",
            "over the classic design",
            "at most",
            0.35,
            _ratio(p99.get(OURS), p99.get(CLASSIC)),
        ),
    ]


_LOAD = "emotion_multimodal, 8 in flight,"


def _whole(results: Results) -> list[Target]:
    whole = results.whole
    return [
        Target(
            "service over bare ONNX sessions",
            "requests per second",
            "at least",
            0.95,
            whole.service_over_sessions,
        ),
        Target(
            "mixed over equal clip lengths",
            "audio seconds per second",
            "at least",
            0.95,
            whole.mixed_over_equal_lengths,
        ),
        Target(
            "API over Triton direct, text only",
            "requests per second",
            "at least",
            0.8,
            whole.api_over_triton,
        ),
        Target(
            "whole stack, best precision",
            "resident memory",
            "at most",
            1.5,
            whole.memory_gb,
            unit="GB",
        ),
    ]


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
