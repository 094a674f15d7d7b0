"""The positional convolution in integers: as good as in float32, whatever its channels are like."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export import onnx_file
from export.build import write_int8
from export.checkpoint import read
from export.int8 import Kept
from export.int8_filter import Int8Filter, replace, watched
from export.packed_encoder import Filter
from export.prepared import prepare
from tests.export.checkpoints import audio_checkpoint


def filter_and_inputs(loud: float) -> tuple[torch.nn.Module, torch.Tensor]:
    """Return a filter within a module, and inputs [T, C] of which one channel is `loud`."""
    torch.manual_seed(0)
    conv = torch.nn.Conv1d(32, 32, 16, groups=4)
    inputs = torch.randn(300, 32)
    inputs[:, 5] *= loud
    with torch.no_grad():
        conv.weight[:, 5] /= loud  # the fifth of its group's inputs, so that its answers count
    return torch.nn.Sequential(Filter(conv)), inputs


@pytest.mark.parametrize("loud", [1.0, 100.0])
def test_answers_are_close(loud: float) -> None:
    module, inputs = filter_and_inputs(loud)
    with watched(module) as ranges:
        expected = module(inputs)
    replace(module, ranges)
    with torch.no_grad():
        off = (module(inputs) - expected).abs()
    assert isinstance(module[0], Int8Filter)
    assert float(off.mean() / expected.std()) < 0.02


def test_values_beyond_those_seen_are_cut_off_not_wrapped() -> None:
    module, inputs = filter_and_inputs(1.0)
    with watched(module) as ranges:
        seen = module(inputs)
    replace(module, ranges)
    with torch.no_grad():
        made = module(inputs * 100)
    step = float(module[0].output_scale)
    assert seen.min() - step <= made.min() < seen.min() / 2
    assert seen.max() / 2 < made.max() <= seen.max() + step


def test_silence_stays_silent() -> None:
    module, inputs = filter_and_inputs(1.0)
    with watched(module) as ranges:
        module(inputs)
    replace(module, ranges)
    assert not module(torch.zeros_like(inputs)).any()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter's
def test_onnx_runtime_computes_the_same(tmp_path: Path) -> None:
    module, inputs = filter_and_inputs(10.0)
    with watched(module) as ranges:
        module(inputs)
    replace(module, ranges)
    file = tmp_path / "filter.onnx"
    torch.onnx.export(
        module, (inputs,), file, opset_version=onnx_file.OPSET, dynamo=False, input_names=["stream"]
    )
    (made,) = onnxruntime.InferenceSession(file).run(None, {"stream": inputs.numpy()})
    step = float(module[0].output_scale)
    np.testing.assert_allclose(made, module(inputs).numpy(), atol=1.01 * step, rtol=0)


@pytest.mark.parametrize("convolutions", [False, True])
def test_it_is_in_integers_unless_convolutions_are_kept(convolutions: bool, tmp_path: Path) -> None:
    prepared = prepare(read("audio", audio_checkpoint(tmp_path / "toy")))
    write_int8(prepared, tmp_path / "graph.onnx", Kept(convolutions=convolutions))
    operators = [node.op_type for node in onnx.load(tmp_path / "graph.onnx").graph.node]
    assert operators.count("QLinearConv") == (not convolutions)
    assert operators.count("Conv") == convolutions
