"""perf_analyzer's windows, with a stand-in for the program that answers once in 300 ms."""

import sys
from pathlib import Path

import pytest

from benchmarks import analyzer
from benchmarks.analyzer import Load, PerfAnalyzer
from benchmarks.analyzer_files import AnalyzerError

PROGRAM = f"""#!{sys.executable}
import sys, time
options = dict(zip(sys.argv[1:], sys.argv[2:]))
window_ms = int(options.get("--measurement-interval", "0"))
if window_ms == ENDLESS_MS:
    time.sleep(60)
if window_ms == 0:
    sys.exit()
if window_ms < LEAST_MS:
    sys.exit("Pass [1] cb::Error: No valid requests recorded within time interval.")
names = "Inferences/Second,Avg latency,p50 latency,p95 latency,p99 latency"
open(options["-f"], "w").write(names + "\\n30,2000,1000,3000,4000\\n")
print("Client: \\n  Request count: 9")
for number, rate in enumerate((27, 30, 33), 1):
    print(f"Pass [{{number}}] throughput: {{rate}} infer/sec")
"""


def stand_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, least_ms: int, endless_ms: int = -1
) -> PerfAnalyzer:
    program = folder / "perf_analyzer"
    text = PROGRAM.replace("LEAST_MS", str(least_ms)).replace("ENDLESS_MS", str(endless_ms))
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setattr(analyzer, "analyzer_program", lambda: program)
    return PerfAnalyzer("127.0.0.1:9", "grpc", folder)


def test_a_window_in_which_nothing_ended_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stand_in(tmp_path, monkeypatch, least_ms=300)
    found = one.measure(Load("emotion_audio", 8, 0.1), tmp_path / "inputs.json")
    assert (found.requests, found.per_second, found.p99_ms) == (9, 30.0, 4.0)
    assert found.spread == pytest.approx(0.2)


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stand_in(tmp_path, monkeypatch, least_ms=10**9)
    with pytest.raises(AnalyzerError, match="nothing was answered"):
        one.measure(Load("emotion_audio", 8, 6.0), tmp_path / "inputs.json")


def test_a_warm_up_that_does_not_end_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyzer, "_LIMIT_S", 2.0)
    one = stand_in(tmp_path, monkeypatch, least_ms=100, endless_ms=0)
    assert one.measure(Load("emotion_text", 2, 0.1), tmp_path / "inputs.json").requests == 9


def test_a_measurement_that_does_not_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyzer, "_LIMIT_S", 2.0)
    one = stand_in(tmp_path, monkeypatch, least_ms=100, endless_ms=100)
    with pytest.raises(AnalyzerError, match="did not end within 3 s"):
        one.measure(Load("emotion_text", 2, 0.1), tmp_path / "inputs.json")
