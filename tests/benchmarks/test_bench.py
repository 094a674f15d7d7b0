"""The run of all stages: what is finished is kept, what is missing is measured, all is reported."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import fingerprints, whole_run
from benchmarks.__main__ import app
from benchmarks.finished import Finished
from benchmarks.plan import FULL, QUICK
from benchmarks.prepare import Prepared
from benchmarks.progress import StageProgress
from benchmarks.results import Ratio, Results, Whole, load, merged
from benchmarks.whole_run import WholeRun
from tests.benchmarks.measured import measured


def test_a_part_is_measured_once(tmp_path: Path) -> None:
    calls: list[str] = []

    def measure() -> Ratio:
        calls.append("measured")
        return Ratio("a over b", "", [(1.0, 2.0)])

    finished = Finished(tmp_path, "here")
    first = finished.once("part", Ratio, measure)
    assert Finished(tmp_path, "here").once("part", Ratio, measure) == first
    assert calls == ["measured"]
    assert Finished(tmp_path, "elsewhere").get("part", Ratio) is None
    assert Finished(tmp_path, "here", fresh=True).get("part", Ratio) is None


def test_a_part_that_was_stopped_is_not_kept(tmp_path: Path) -> None:
    def stopped() -> Ratio:
        raise KeyboardInterrupt

    finished = Finished(tmp_path, "here")
    with pytest.raises(KeyboardInterrupt):
        finished.once("part", Ratio, stopped)
    assert finished.get("part", Ratio) is None


def test_a_ratio_has_a_median_and_a_spread() -> None:
    ratio = Ratio("a over b", "", [(1.0, 2.0), (4.0, 4.0), (3.0, 4.0)])
    assert ratio.median() == 0.75
    assert ratio.spread() == pytest.approx(0.5 / 0.75)


def test_results_of_stages_become_one() -> None:
    models = Results(facts={"a": "1"}, models=[measured(fp32=0.5)])
    service = Results(facts={"b": "2"}, whole=Whole(memory_gb=1.0))
    peers = Results(whole=Whole(request_floor_s=0.5))
    found = merged([models, service, peers])
    assert found.facts == {"a": "1", "b": "2"}
    assert list(found.models) == list(models.models)
    assert found.whole == Whole(memory_gb=1.0, request_floor_s=0.5)


def test_progress_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = StageProgress({"models": 4, "service": 5})
    assert progress.where() == "preparing"
    progress.begin("models")
    assert progress.where() == "stage 1/2 models, about 9 min left"
    now = 120.0
    assert progress.minutes_left() == 7
    now = 3600.0
    assert progress.minutes_left() == 5  # never less than what is still to come
    progress.begin("service")
    assert progress.where() == "stage 2/2 service, about 5 min left"


def test_a_fingerprint_differs_with_weights_and_plan() -> None:
    first = fingerprints.of_run({"text": "a"}, FULL)
    assert fingerprints.of_run({"text": "a"}, FULL) == first
    assert fingerprints.of_run({"text": "b"}, FULL) != first
    assert fingerprints.of_run({"text": "a"}, QUICK) != first


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WholeRun:
    monkeypatch.setattr(Prepared, "facts", lambda _: {"weights": "none"})
    prepared = Prepared(tmp_path, {}, tmp_path, {})
    return WholeRun(prepared, QUICK, Finished(tmp_path / "run", "here"), 1, lambda _: None)


def test_a_stopped_run_goes_on_with_the_stages_that_are_missing(
    run: WholeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = [True, False]
    calls: list[str] = []

    def models(*_: object) -> Results:
        calls.append("models")
        return Results(models=[measured(fp32=0.5)])

    def service(*_: object) -> Results:
        calls.append("service")
        if stops.pop(0):
            raise KeyboardInterrupt
        return Results(whole=Whole(memory_gb=1.25))

    monkeypatch.setattr(whole_run, "STAGES", {"models": models, "service": service})
    run.stage("models")
    with pytest.raises(KeyboardInterrupt):
        run.stage("service")
    for name in ("models", "service"):
        run.stage(name)
    assert calls == ["models", "service", "service"]
    run.report(tmp_path / "results")
    found = load(tmp_path / "results" / "results.json")
    assert (len(found.models), found.whole.memory_gb) == (1, 1.25)
    assert "1.25 GB" in (tmp_path / "results" / "README.md").read_text()
    assert list((tmp_path / "results").glob("*.png"))


def test_without_a_finished_stage_nothing_is_written(run: WholeRun, tmp_path: Path) -> None:
    run.report(tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("only", "said"), [("models,smell", "smell"), (",", "nothing")])
def test_an_unknown_stage_is_explained(only: str, said: str) -> None:
    result = CliRunner().invoke(app, ["--only", only])
    assert result.exit_code == 2
    assert said in result.output
