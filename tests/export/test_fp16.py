"""float16: what it keeps in float32, a gate that sees what a GPU would round, CUDA's kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from transformers import AutoModelForSequenceClassification

from export import fp16
from export.errors import ExportError
from export.gate import judge
from export.manifest import Branch
from export.parity import run
from export.real_inputs import clips
from export.starter import GRAPH, GRAPHS, STARTERS, WEIGHTS
from tests.export.exported import export

# With float16 among the types of T at opset 17, under CUDAExecutionProvider in
# https://github.com/microsoft/onnxruntime/blob/001d12d2/docs/OperatorKernels.md
ON_CUDA = set(
    "Add Cast Concat ConstantOfShape Conv Div Erf Flatten Gather Gemm LayerNormalization MatMul "  # noqa: SIM905
    "Mul MultiHeadAttention Reshape ScatterElements Shape Slice Squeeze Sub Tanh Transpose "
    "Unsqueeze Where".split()
)
WITHOUT_KERNEL = {"Constant"}  # a value, no computation


def rows(branch: Branch) -> list[npt.NDArray[Any]]:
    if branch == "audio":
        return clips()[1][:6]
    random = np.random.default_rng(0)
    return [random.integers(1000, 9000, n) for n in (3, 11, 30, 64)]


def beside_weights(branch: Branch, folder: Path) -> Path:
    """Return where a graph of the starter can be written and loaded."""
    (folder / WEIGHTS).hardlink_to(STARTERS / branch / WEIGHTS)
    return folder / "graph.onnx"


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_the_shipped_graph_passes(branch: Branch) -> None:
    folder = STARTERS / branch
    gate = judge(folder / GRAPH, folder / GRAPHS["fp16"], rows(branch), "")
    assert gate.passed, gate.summary
    assert gate.mean_abs_diff > 0  # else nothing was rounded


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_neighbours_change_nothing_where_all_is_rounded(branch: Branch, tmp_path: Path) -> None:
    target = beside_weights(branch, tmp_path)
    fp16.write_rounded(STARTERS / branch / GRAPH, target)
    session = onnxruntime.InferenceSession(target)
    alone = np.concatenate([run(session, [row], [len(row)]) for row in rows(branch)])
    batch = run(session, rows(branch), [len(row) for row in rows(branch)])
    np.testing.assert_allclose(batch, alone, atol=1e-3)
    assert (batch.argmax(axis=1) == alone.argmax(axis=1)).all()


def test_a_quiet_recording_keeps_its_samples(tmp_path: Path) -> None:
    """In float16 the samples of this one would be zeros."""
    target = beside_weights("audio", tmp_path)
    fp16.write_rounded(STARTERS / "audio" / GRAPH, target)
    quiet = [np.float32(1e-7) * row for row in rows("audio")]
    gate = judge(STARTERS / "audio" / GRAPH, target, quiet, "")
    assert gate.mean_abs_diff < 1e-3


def test_casts_that_an_older_converter_repeats_are_made_once() -> None:
    """ONNX Runtime 1.31 casts a value anew for each of its readers, under the same name."""

    def cast(name: str, output: str) -> onnx.NodeProto:
        return onnx.helper.make_node("Cast", ["bias"], [output], name=name, to=TensorProto.FLOAT)

    inserted = [cast("bias_cast_to_fp32_node", "bias_cast_to_fp32") for _ in range(2)]
    graph = onnx.GraphProto(node=[cast("/layer/Cast", "own"), *inserted, cast("", "unnamed")])
    fp16.drop_repeated(graph)
    assert [node.output[0] for node in graph.node] == ["own", "bias_cast_to_fp32", "unnamed"]


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_cuda_has_a_kernel_for_all_that_is_float16(branch: Branch) -> None:
    model = onnx.load(STARTERS / branch / GRAPHS["fp16"], load_external_data=False)
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.initializer)
    half = {
        value.name
        for value in values
        if getattr(value, "data_type", 0) == TensorProto.FLOAT16
        or (hasattr(value, "type") and value.type.tensor_type.elem_type == TensorProto.FLOAT16)
    }
    used = {node.op_type for node in graph.node if half & {*node.input, *node.output}}
    assert {"Gemm", "MultiHeadAttention", "LayerNormalization", "Erf"} <= used
    assert used - WITHOUT_KERNEL <= ON_CUDA


def test_export_remembers_the_gate(bert: Path, tmp_path: Path) -> None:
    published = export("text", bert, tmp_path, precision="fp16")
    assert (published.precision, published.requested) == ("fp16", "fp16")
    assert published.gate is not None
    assert published.gate["label_agreement"] >= 0.99
    graph = onnx.load(tmp_path / "text_classifier/1/model.onnx").graph
    types = {tensor.type.tensor_type.elem_type for tensor in graph.output}
    assert types == {TensorProto.FLOAT}
    large = {w.data_type for w in graph.initializer if np.prod(w.dims) > 500}
    assert TensorProto.FLOAT not in large
    assert [path.name for path in (tmp_path / "text_classifier/1").glob(".*")] == []


def test_values_too_large_for_float16_are_not_published(bert: Path, tmp_path: Path) -> None:
    """On a CPU the graph itself answers well: only the rounded one shows what a GPU would say."""
    model = AutoModelForSequenceClassification.from_pretrained(bert)
    layer = model.base_model.encoder.layer[0]
    layer.intermediate.dense.weight.data *= 1e6
    layer.intermediate.dense.bias.data *= 1e6
    layer.output.dense.weight.data *= 1e-6
    changed = tmp_path / "changed"
    model.save_pretrained(changed)
    for file in bert.iterdir():
        if not (changed / file.name).exists():
            (changed / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ExportError, match="fp16 changes the answers of fp32 too much"):
        export("text", changed, tmp_path / "models", precision="fp16")
    assert not list((tmp_path / "models").glob("*/*"))
