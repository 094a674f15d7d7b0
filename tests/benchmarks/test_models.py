"""All variants of a toy checkpoint, timed for real; what is finished is not measured again."""

import dataclasses
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import contest
from benchmarks.command import INTERRUPTED
from benchmarks.contest import Contest, Plan
from benchmarks.kept import Kept, fingerprint
from benchmarks.measuring import keep, measure
from benchmarks.model_table import notes, table
from benchmarks.models import app
from benchmarks.peers.naive_onnx import naive_onnx
from benchmarks.points import (
    COMPILED,
    EAGER,
    NAIVE,
    Measured,
    Point,
    default_points,
    parse_points,
)
from benchmarks.rounds import in_turn
from benchmarks.sources import Models, published
from export.checkpoint import read
from export.errors import ExportError
from export.manifest import Branch
from tests.benchmarks.measured import measured
from tests.export.checkpoints import audio_checkpoint, text_checkpoint
from tests.export.exported import export

PLAN = Plan(threads=1, budget_s=0.0, trial_s=0.02)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[Branch, Models]:
    work = tmp_path_factory.mktemp("toys")
    folders: dict[Branch, Path] = {
        "text": text_checkpoint(work / "text", "roberta"),
        "audio": audio_checkpoint(work / "audio", do_normalize=True),
    }
    naive = naive_onnx(work / "naive", folders, lambda _: None)
    for branch, folder in folders.items():
        export(branch, folder, work / "repository")
    return {
        branch: Models(
            read(branch, folder),
            "toy",
            naive / f"{branch}.onnx",
            published(branch, [work / "repository"]),
        )
        for branch, folder in folders.items()
    }


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(model: object, dynamic: bool) -> object:
        def run(**_: object) -> object:
            raise RuntimeError("\nno working C++ compiler\nmore about it")

        return run

    monkeypatch.setattr(torch, "compile", compiled)


@pytest.mark.parametrize(("branch", "length"), [("text", 12), ("audio", 0.5)])
def test_variants_agree_and_are_timed(
    toys: dict[Branch, Models], branch: Branch, length: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_compiler(monkeypatch)
    said: list[str] = []
    found = Contest(toys[branch], PLAN, said.append).measure(Point(branch, length, 3))
    assert list(found.timings) == [EAGER, NAIVE, "ours fp32"]
    assert found.differences[EAGER] == 0
    assert max(found.differences.values()) < 1e-4
    assert all(0 < one.low_s <= one.median_s <= one.high_s for one in found.timings.values())
    assert found.not_run == {COMPILED: "it does not compile: no working C++ compiler"}
    assert any("left out" in line for line in said)
    assert found.floors_s["int8"] > 0


def test_a_variant_of_ours_that_fails_is_no_reason_to_go_on(
    toys: dict[Branch, Models], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> object:
        raise RuntimeError("broken graph")

    no_compiler(monkeypatch)
    monkeypatch.setattr("benchmarks.variants.run_ragged", fails)
    with pytest.raises(RuntimeError, match="broken graph"):
        Contest(toys["text"], PLAN, lambda _: None)


class Stopping:
    """Stands in for the contest; Ctrl-C comes early in the second turn of a first run."""

    calls = 0
    stops_at = 5
    order: ClassVar[list[Point]] = []

    def __init__(self, *_: object) -> None:
        pass

    def measure(self, point: Point) -> Measured:
        type(self).calls += 1
        if self.calls == self.stops_at:
            raise KeyboardInterrupt
        self.order.append(point)
        return dataclasses.replace(measured(fp32=0.1 * self.calls), point=point)


def test_a_stopped_run_goes_on_where_it_was(
    toys: dict[Branch, Models], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.measuring.Contest", Stopping)
    monkeypatch.setattr(Stopping, "calls", 0)
    monkeypatch.setattr(Stopping, "order", [])
    models, points, said = toys["text"], parse_points("text", "8,16,16x4"), list[str]()
    with pytest.raises(KeyboardInterrupt):
        measure(models, points, PLAN, keep(models, PLAN, tmp_path, fresh=False), said.append)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + '{"fingerprint": "cut o')
    kept = keep(models, PLAN, tmp_path, fresh=False)
    assert [one.point for one in kept.found(points)] == points  # for a report of what there is
    measure(models, points, PLAN, kept, said.append)
    found = kept.found(points)
    assert [one.point for one in found] == points
    assert Stopping.order == points * 3  # all have a turn before the first has its next
    assert any(line.startswith("4 of 9 turns are kept") for line in said)
    # Its turns were the calls 1, 4 (before it was stopped) and 8.
    assert found[0].timings["ours fp32"].rounds_s[2::5] == pytest.approx((0.1, 0.4, 0.8))
    again = keep(models, PLAN, tmp_path, fresh=False)
    assert [again.times(point) for point in points] == [3, 3, 3]
    measure(models, points, PLAN, again, said.append)
    assert again.found(points) == found
    assert Stopping.calls == 10
    fresh = keep(models, PLAN, tmp_path, fresh=True)
    assert [fresh.times(point) for point in points] == [0, 0, 0]
    assert fresh.found(points) == []


def test_a_stopped_run_reports_what_it_measured(
    toys: dict[Branch, Models], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.measuring.Contest", Stopping)
    monkeypatch.setattr(Stopping, "calls", 3)  # so that the second point is where Ctrl-C comes
    monkeypatch.setattr(Stopping, "order", [])
    monkeypatch.setattr("benchmarks.sources.full_size_models", lambda *_: toys["text"])
    monkeypatch.setattr("benchmarks.models.WORK", tmp_path / "work")
    options = ["--branch", "text", "--points", "8,16", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == INTERRUPTED
    (report,) = tmp_path.glob("*.md")
    assert "text, 8 tokens" in report.read_text()
    assert "text, 16 tokens" not in report.read_text()


def test_points_of_other_models_machines_or_plans_are_not_mixed(
    toys: dict[Branch, Models], tmp_path: Path
) -> None:
    one = measured(fp32=0.5)
    keep(toys["text"], PLAN, tmp_path, fresh=False).add(one)
    other_plan = dataclasses.replace(PLAN, threads=2)
    assert keep(toys["text"], other_plan, tmp_path, fresh=False).times(one.point) == 0
    assert keep(toys["text"], PLAN, tmp_path, fresh=False).get(one.point) == one
    fewer = dataclasses.replace(toys["text"], ours={})
    assert keep(fewer, PLAN, tmp_path, fresh=False).times(one.point) == 0


def test_a_fingerprint_is_of_contents_and_facts(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"one")
    first = fingerprint({"ours": model}, {"machine": "a"})
    assert fingerprint({"ours": model}, {"machine": "b"}) != first
    moved = model.rename(tmp_path / "moved.onnx")
    assert fingerprint({"ours": moved}, {"machine": "a"}) == first
    moved.write_bytes(b"two")
    assert fingerprint({"ours": moved}, {"machine": "a"}) != first


def test_kept_points_come_back_as_they_were(tmp_path: Path) -> None:
    one = measured(branch="audio", length=4, rows=8, fp32=0.5, int8=0.1)
    Kept(tmp_path / "kept.jsonl", "here").add(one)
    assert Kept(tmp_path / "kept.jsonl", "here").get(one.point) == one
    assert Kept(tmp_path / "kept.jsonl", "elsewhere").times(one.point) == 0


def test_a_variant_counts_only_with_all_its_turns() -> None:
    """The compiler may be gone when a run that was stopped goes on."""
    both = measured(fp32=0.5, int8=0.1) + measured(fp32=0.7)
    assert list(both.timings) == [EAGER, "ours fp32"]
    assert both.timings["ours fp32"].median_s == pytest.approx((0.6 + 0.63) / 2)
    assert list((measured(fp32=0.5) + measured(fp32=0.7, int8=0.1)).timings) == list(both.timings)


def test_calls_take_turns() -> None:
    order: list[str] = []
    calls = {name: partial(order.append, name) for name in "ab"}
    timings = in_turn(calls, budget_s=0.0, progress=lambda _: None)
    assert [name for name, _ in groupby(order)] == ["a", "b"]
    assert {name: len(timing.rounds_s) for name, timing in timings.items()} == {"a": 1, "b": 1}
    timings = in_turn(calls, budget_s=60.0, progress=lambda _: None)
    assert [name for name, _ in groupby(order)] == ["a", "b"] * 3
    assert {name: len(timing.rounds_s) for name, timing in timings.items()} == {"a": 2, "b": 2}


def test_the_table_says_what_ran_and_why_not() -> None:
    one = measured(fp32=0.5, int8=0.1)
    lines = table([one]).splitlines()
    cells = [cell.strip() for cell in lines[3].split("|")[3:-1]]
    assert cells == ["500.0", "450.0 to 600.0", "2.00", "200.0", "40%", "0e+00"]
    assert "10.00" in lines[4]
    assert "not run" in lines[5]
    assert "not run everywhere: torch.compile: no compiler" in notes([one])


def test_points_are_read_and_the_default_ones_can_be() -> None:
    assert parse_points("audio", "0.5, 4x8") == [Point("audio", 0.5, 1), Point("audio", 4, 8)]
    assert Point("audio", 4, 32) not in default_points("audio", thorough=False)
    assert Point("audio", 4, 32) in default_points("audio", thorough=True)
    assert len(set(default_points("text", thorough=False))) == 9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--points", "8"], "--branch"),
        (["--branch", "text", "--points", "8.5"], "no point"),
        (["--branch", "text", "--points", "many"], "no point"),
        (["--branch", "audio", "--points", "4x0"], "no point"),
    ],
)
def test_a_wrong_option_is_explained(options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert said in result.output


def test_a_repository_without_versions_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="publish one"):
        published("text", [tmp_path])


def test_a_first_line_is_found() -> None:
    assert contest.first_line(RuntimeError("\n \nwhy\nmore")) == "why"
    assert contest.first_line(RuntimeError()) == "RuntimeError"
