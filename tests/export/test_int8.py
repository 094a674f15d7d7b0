"""int8: a gate that holds, scales that no neighbour moves, and the figures that were promised."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from export import build, manifest
from export.build import write_int8
from export.checkpoint import read
from export.errors import ExportError
from export.gate import Gate, judge
from export.int8 import Int8Linear, Kept, quantize
from export.manifest import Branch
from export.parity import run
from export.prepared import Prepared, prepare
from export.real_inputs import clips
from export.rounding import rounded
from export.seen import Seen
from export.starter import GRAPH, GRAPHS, STARTERS, publish_starter
from tests.export.exported import export, open_graph


@functools.cache
def starter(branch: Branch) -> Prepared:
    """Return it with what it is calibrated on and judged by; takes seconds."""
    return prepare(read(branch, STARTERS / branch))


def shipped() -> list[tuple[Branch, str]]:
    """Return each starter's graphs of lower precision."""
    folders: tuple[Branch, ...] = ("text", "audio")
    files = {branch: manifest.read(STARTERS / branch).files for branch in folders}
    return [(b, p) for b in folders for p in ("int8", "fp16") if GRAPHS[p] in files[b]]


@pytest.mark.parametrize(("branch", "precision"), shipped())
def test_the_shipped_graph_passed_its_gate(branch: Branch, precision: str) -> None:
    """On labelled data when it was packed, and now on what is shipped."""
    gates = manifest.read(STARTERS / branch).gates
    assert gates is not None
    assert gates[precision]["cases"] >= 240
    assert Gate(**gates[precision]).passed
    rows = starter(branch).real_inputs.judged[:40]
    gate = judge(STARTERS / branch / GRAPH, STARTERS / branch / GRAPHS[precision], rows, "")
    assert gate.passed, gate.summary
    assert gate.mean_abs_diff > 0  # else nothing was rounded


def test_every_starter_has_graphs_of_lower_precision() -> None:
    assert set(shipped()) >= {("text", "int8"), ("text", "fp16"), ("audio", "fp16")}


def test_figures_of_a_failed_gate_are_kept() -> None:
    found = manifest.read(STARTERS / "audio")
    assert found.gates is not None
    assert not Gate(**found.gates["int8"]).passed
    with pytest.raises(ExportError, match="has not passed the gate of int8"):
        publish_starter("audio", Path("nowhere"), precision="int8")


def test_neighbours_change_nothing() -> None:
    session = onnxruntime.InferenceSession(STARTERS / "text" / GRAPHS["int8"])
    rows = starter("text").real_inputs.judged[:40]
    assert_neighbours_change_at_most(1e-3, session, rows)


@pytest.mark.slow  # not served so
def test_neighbours_change_little_where_small_steps_count(tmp_path: Path) -> None:
    """The audio starter, not served in int8: rounding up for down is seen in its answers."""
    write_int8(starter("audio"), tmp_path / "graph.onnx", Kept(wide=True))
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    assert_neighbours_change_at_most(1e-2, session, clips()[1][:12])


def assert_neighbours_change_at_most(
    atol: float, session: onnxruntime.InferenceSession, rows: Sequence[npt.NDArray[Any]]
) -> None:
    alone = np.concatenate([run(session, [row], [len(row)]) for row in rows])
    wide = [len(row) for row in rows[:-2]] + [max(map(len, rows)) + 7] * 2
    batch = run(session, rows, wide)
    np.testing.assert_allclose(batch, alone, atol=atol)
    assert (batch.argmax(axis=1) == alone.argmax(axis=1)).all()


def test_export_remembers_the_gate(bert: Path, tmp_path: Path) -> None:
    published = export("text", bert, tmp_path, precision="int8", gated=False)
    assert published.precision == "int8"
    assert published.requested == "int8"
    assert published.gate is not None
    nodes = onnx.load(tmp_path / "text_classifier/1/model.onnx").graph.node
    assert any(node.op_type == "MatMulIntegerToFloat" for node in nodes)
    assert open_graph(tmp_path, published).get_outputs()[0].name == "probabilities"


def negated(graph: object, run_it: object, kept: Kept) -> None:
    quantize(graph, run_it, kept)  # type: ignore[arg-type]
    for module in graph.modules():  # type: ignore[attr-defined]
        if isinstance(module, Int8Linear):
            module.product.weight.neg_()


def test_what_changes_the_answers_is_not_published(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "quantize", negated)
    with pytest.raises(ExportError, match="changes the answers of fp32 too much"):
        export("text", bert, tmp_path / "int8", precision="int8")
    assert not list((tmp_path / "int8").glob("*/*"))
    fallen_back = export("text", bert, tmp_path / "auto", precision="auto")
    assert (fallen_back.precision, fallen_back.gate) == ("fp32", None)


def test_more_stays_in_float32_where_less_costs_too_much(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attempts_until("text", bert, tmp_path, 2, monkeypatch) == [Kept(), Kept(wide=True)]


@pytest.mark.slow  # three exports in int8
def test_convolutions_stay_where_nothing_else_helps(
    wav2vec2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = attempts_until("audio", wav2vec2, tmp_path, 3, monkeypatch)
    assert tried == [Kept(), Kept(wide=True), Kept(wide=True, convolutions=True)]


def attempts_until(
    branch: Branch, checkpoint: Path, repository: Path, passes: int, patch: pytest.MonkeyPatch
) -> list[Kept]:
    """Export with a gate that only the attempt of this number passes; return what was tried."""
    tried = []

    def noted(graph: object, run_it: object, kept: Kept) -> None:
        tried.append(kept)
        quantize(graph, run_it, kept)  # type: ignore[arg-type]

    def verdict(*_: object) -> Gate:
        return Gate("ours", 100, *((0.99, 0.01) if len(tried) == passes else (0.95, 0.02)))

    patch.setattr(build, "quantize", noted)
    patch.setattr(build, "judge", verdict)
    published = export(branch, checkpoint, repository, precision="int8")
    assert published.gate is not None
    assert published.gate["label_agreement"] == 0.99
    return tried


def test_rounded_weights_move_no_mean() -> None:
    torch.manual_seed(0)
    inputs = 3 + 0.1 * torch.randn(500, 64)
    layer = torch.nn.Linear(64, 64)
    seen = Seen(normalized=False)
    seen.see(inputs[:250])
    seen.see(inputs[250:])
    int8 = Int8Linear(layer, seen, wide=0)
    with torch.no_grad():
        off = (int8(inputs) - layer(inputs)).mean(dim=0).abs().mean()
        int8.product.bias.copy_(layer.bias)
        without = (int8(inputs) - layer(inputs)).mean(dim=0).abs().mean()
    assert off < without / 3


def test_weights_are_rounded_for_the_inputs_that_come() -> None:
    """Of nearest integers alone, what inputs that go together are off by would add up."""
    torch.manual_seed(0)
    inputs = torch.randn(500, 8) @ torch.randn(8, 64) + 0.1 * torch.randn(500, 64)
    weight = torch.randn(64, 32)
    scale = weight.abs().amax(dim=0) / 64
    ours = rounded(weight, scale, torch.cov(inputs.t()), 64)
    nearest = torch.round(weight / scale)

    def off(integers: torch.Tensor) -> float:
        return float((inputs @ (weight - integers * scale)).square().mean().sqrt())

    assert off(ours) < off(nearest) / 3
    assert ours.abs().max() <= 64
    assert (ours - nearest).abs().max() > 0


def test_inputs_that_never_change_are_rounded_to_the_nearest() -> None:
    weight = torch.randn(16, 4)
    scale = weight.abs().amax(dim=0) / 64
    integers = rounded(weight, scale, torch.zeros(16, 16), 64)
    assert (integers == torch.round(weight / scale)).all()


def test_large_means_leave_small_variances_their_digits() -> None:
    torch.manual_seed(0)
    inputs = 1000 + torch.randn(4000, 8)
    seen = Seen(normalized=False)
    for rows in inputs.split(100):
        seen.see(rows)
    found = seen.scaled(torch.full((8,), 2.0))
    torch.testing.assert_close(found.covariance, 4 * torch.cov(inputs.t()), atol=0.02, rtol=0)
    torch.testing.assert_close(found.mean, 2 * inputs.mean(dim=0))


def test_a_channel_that_ranges_widely_costs_the_others_nothing() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 64)
    inputs[:, 5] *= 1000
    layer = torch.nn.Linear(64, 64)
    seen = Seen(normalized=False)
    seen.see(inputs)
    int8 = Int8Linear(layer, seen)
    with torch.no_grad():
        off = (int8(inputs) - layer(inputs)).abs().max()
    assert off < 0.05
