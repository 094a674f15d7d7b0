"""int8: a gate that holds, scales that no neighbour moves, and the figures that were promised."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from export import build, manifest
from export.errors import ExportError
from export.gate import Gate, judge
from export.int8 import Int8Linear, Seen, quantize
from export.manifest import Branch
from export.parity import run
from export.real_inputs import clips
from export.starter import GRAPH, GRAPH_INT8, STARTERS
from tests.export.exported import export, open_graph


def speech() -> list[npt.NDArray[np.float32]]:
    return clips()[1][:12]


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_the_shipped_graph_passed_its_gate_on_labelled_data(branch: Branch) -> None:
    gate = manifest.read(STARTERS / branch).gate
    assert gate is not None
    assert gate["cases"] >= 240
    assert Gate(**gate).passed


def test_the_shipped_audio_graph_passes_on_what_is_shipped() -> None:
    rows = speech()
    gate = judge(STARTERS / "audio" / GRAPH, STARTERS / "audio" / GRAPH_INT8, rows, "speech")
    assert gate.cases == len(rows)
    assert gate.passed, gate.summary
    assert gate.mean_abs_diff > 0  # else nothing was rounded


def test_neighbours_change_nothing() -> None:
    session = onnxruntime.InferenceSession(STARTERS / "audio" / GRAPH_INT8)
    rows = speech()
    alone = np.concatenate([run(session, [row], [len(row)]) for row in rows])
    wide = [len(row) for row in rows[:-2]] + [max(map(len, rows)) + 7] * 2
    batch = run(session, rows, wide)
    np.testing.assert_allclose(batch, alone, atol=1e-3)
    assert (batch.argmax(axis=1) == alone.argmax(axis=1)).all()


def test_export_remembers_the_gate(bert: Path, tmp_path: Path) -> None:
    published = export("text", bert, tmp_path, precision="int8", gated=False)
    assert published.precision == "int8"
    assert published.requested == "int8"
    assert published.gate is not None
    nodes = onnx.load(tmp_path / "text_classifier/1/model.onnx").graph.node
    assert any(node.op_type == "MatMulIntegerToFloat" for node in nodes)
    assert open_graph(tmp_path, published).get_outputs()[0].name == "probabilities"


def negated(graph: object, run_it: object, convolutions: bool = True) -> None:
    quantize(graph, run_it, convolutions)  # type: ignore[arg-type]
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


def test_convolutions_keep_fp32_where_they_cost_too_much(
    wav2vec2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def noted(graph: object, run_it: object, convolutions: bool = True) -> None:
        tried.append(convolutions)
        quantize(graph, run_it, convolutions)  # type: ignore[arg-type]

    verdicts = iter([Gate("speech", 100, 0.95, 0.02), Gate("speech", 100, 0.99, 0.01)])
    monkeypatch.setattr(build, "quantize", noted)
    monkeypatch.setattr(build, "judge", lambda *_: next(verdicts))
    published = export("audio", wav2vec2, tmp_path, precision="int8")
    assert tried == [True, False]
    assert published.gate is not None
    assert published.gate["label_agreement"] == 0.99


def test_a_channel_that_ranges_widely_costs_the_others_nothing() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 64)
    inputs[:, 5] *= 1000
    layer = torch.nn.Linear(64, 64)
    seen = Seen(normalized=False)
    seen.see(layer, inputs)
    rounded = Int8Linear(layer, seen)
    with torch.no_grad():
        off = (rounded(inputs) - layer(inputs)).abs().max()
    assert off < 0.05
