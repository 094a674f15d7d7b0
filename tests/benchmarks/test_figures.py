"""The report: targets are marked rightly, and plots are drawn of whatever was measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import figures, style
from benchmarks.analyzer import Latency
from benchmarks.http_load import LoadResult
from benchmarks.peers.compared import Compared, Figures
from benchmarks.points import EAGER, EAGER_FP16, Measured
from benchmarks.report import Measurement
from benchmarks.results import Grown, Results, Whole, load, save
from benchmarks.target import Target, table
from benchmarks.targets import targets
from tests.benchmarks.measured import measured, timing


def peer(name: str, per_second: float, p99_ms: float) -> Compared:
    load_ = LoadResult(100, 0, per_second, 10.0, 20.0, p99_ms, per_second * 6)
    return Compared(name, (Figures(0.0, load_, 2.0, load_, 500.0),), None)


def service(model: str, concurrency: int) -> Measurement:
    return Measurement(model, concurrency, Latency(90, 30.0, 0.1, 9.0, 8.0, 15.0, 20.0), {})


EVERYTHING = Results(
    facts={"machine": "a small one"},
    models=[
        measured(fp32=0.5, int8=0.2),
        measured(rows=4, fp32=0.5, int8=0.2),
        measured(length=64, fp32=0.5, int8=0.2),
        measured(branch="audio", length=4, fp32=0.5, int8=0.1),
    ],
    service=[
        service(model, level) for model in ("emotion_text", "emotion_audio") for level in (1, 4)
    ],
    peers=[
        peer("classic", 2.0, 900.0),
        peer("litserve", 6.0, 500.0),
        peer("neurosense", 10.0, 300.0),
    ],
    growth=[
        Grown("clip length, s", value, 10 / value, 10.0, {"triton": 700.0}) for value in (1, 4)
    ],
    whole=Whole(service_over_sessions=0.9, memory_gb=1.4, request_floor_s=0.05),
)


def found(results: Results) -> dict[str, Target]:
    return {target.name: target for target in targets(results)}


def test_nothing_measured_is_neither_reached_nor_missed() -> None:
    for target in targets(Results()):
        assert target.measured is None
        assert target.reached is None
        assert target.limit is None
    assert "yes" not in table(targets(Results()))


@pytest.mark.parametrize(
    ("name", "measured_", "reached"),
    [
        ("text, 32 tokens, batch 1, fp32", 2.0, True),
        ("text, 32 tokens, batch 1, best precision", 5.0, False),
        ("audio, 4 s, batch 1, best precision", 10.0, True),
        ("emotion_multimodal, 8 in flight, over the classic design", 5.0, True),
        ("emotion_multimodal, 8 in flight, over the best other peer", 10 / 6, True),
        ("p99 at half the classic design's load", 1 / 3, True),
        ("service over bare ONNX sessions", 0.9, False),
        ("API over Triton direct, text only", None, None),
        ("whole stack, best precision", 1.4, True),
    ],
)
def test_targets_are_marked(name: str, measured_: float | None, reached: bool | None) -> None:
    target = found(EVERYTHING)[name]
    assert target.measured == (None if measured_ is None else pytest.approx(measured_))
    assert target.reached is reached


def test_a_target_says_what_the_machine_allows() -> None:
    targets_ = found(EVERYTHING)
    assert targets_["text, 32 tokens, batch 1, fp32"].limit == pytest.approx(5.0)
    assert targets_["text, 32 tokens, batch 1, best precision"].limit == pytest.approx(20.0)
    over_classic = targets_["emotion_multimodal, 8 in flight, over the classic design"]
    assert over_classic.limit == pytest.approx(10.0)
    forbidden = Target("fast", "", "at least", 4.0, 2.0, limit=3.0)
    assert forbidden.possible is False
    assert "3.00 ×, below the target" in table([forbidden])


def test_a_limit_that_was_passed_forbids_nothing() -> None:
    passed = Target("fast", "", "at least", 4.0, 3.5, limit=3.0)
    assert passed.possible is None
    assert "measured too low" in table([passed])


def test_a_peer_that_failed_is_no_base() -> None:
    results = Results(peers=[Compared("classic", (), "did not start"), peer("neurosense", 10, 300)])
    assert all(target.measured is None for target in targets(results))


def test_the_report_has_all_tables_and_plots(tmp_path: Path) -> None:
    save(EVERYTHING, tmp_path / "results.json")
    assert load(tmp_path / "results.json").whole == EVERYTHING.whole
    text = figures.write(load(tmp_path / "results.json"), tmp_path / "report").read_text()
    plots = {file.name for file in (tmp_path / "report").glob("*.png")}
    assert plots == {
        "text-lengths.png",
        "text-batches.png",
        "audio-lengths.png",
        "service-throughput.png",
        "service-latency-emotion_text.png",
        "service-latency-emotion_audio.png",
        "peers.png",
        "growth-clip-length.png",
    }
    assert all(f"]({name})" in text for name in plots)
    for heading in ("Targets", "Models alone", "Service", "Peers", "How cost grows"):
        assert f"## {heading}\n\n" in text


def test_without_results_there_is_a_report_of_targets_only(tmp_path: Path) -> None:
    text = figures.write(Results(), tmp_path).read_text()
    assert "not measured" in text
    assert not list(tmp_path.glob("*.png"))


def test_a_variant_looks_the_same_in_every_plot() -> None:
    assert style.line(EAGER, [EAGER]) == style.line(EAGER, ["another", EAGER])


def of_gpu(fp16_s: float) -> Measured:
    """A batch of 32 that a GPU could do in 0.05 s."""
    one = measured(rows=32, fp32=0.5, fp16=fp16_s)
    timings = one.timings | {EAGER_FP16: timing(1.0)}
    return replace(one, timings=timings, floors_s={"fp32": 0.2, "fp16": 0.05})


@pytest.mark.parametrize(("fp16_s", "reached"), [(0.1, True), (0.2, False)])
def test_a_gpu_has_targets_of_its_own(fp16_s: float, reached: bool) -> None:
    busy = [
        replace(service("emotion_multimodal", level), gpu_busy=level / 140) for level in (8, 128)
    ]
    peers = [peer("classic", 2.0, 900.0), peer("neurosense", 30.0, 300.0)]
    results = Results(models=[of_gpu(fp16_s)], service=busy, peers=peers)
    of_peak = found(results)["text, 32 tokens, batch 32, fp16"]
    assert of_peak.measured == pytest.approx(0.05 / fp16_s)
    assert of_peak.reached is reached
    assert found(results)["HTTP API over the classic design on the same GPU"].measured == 15.0
    assert found(results)["GPU busy at most"].reached is True
    assert found(results)["audio, 4 s, batch 32, fp16"].measured is None
