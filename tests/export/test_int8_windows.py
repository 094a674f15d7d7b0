"""A convolution's windows in integers: each as if it were alone, loud or quiet."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export import onnx_file
from export.frames import WindowsProduct
from export.int8 import Int8Windows, Kept, quantize

KERNELS_AND_STRIDES = [(3, 2), (2, 2), (4, 2), (7, 3), (1, 1)]
QUIET = 1e-4


def layer_and_frames(kernel: int, stride: int, bias: bool = False) -> tuple[torch.nn.Module, ...]:
    """Return a convolution, the same in integers, and frames [F, C], the last of them quiet."""
    torch.manual_seed(0)
    frames = torch.nn.functional.gelu(torch.randn(100, 32))
    frames[50:] *= QUIET
    module = torch.nn.Sequential(WindowsProduct(torch.nn.Conv1d(32, 48, kernel, stride, bias=bias)))
    layer = module.requires_grad_(False)[0]
    quantize(module, lambda graph: graph(frames), Kept())
    assert isinstance(module[0], Int8Windows)
    return layer, module[0], frames


@pytest.mark.parametrize(("kernel", "stride"), KERNELS_AND_STRIDES)
def test_quiet_windows_are_as_close_as_loud_ones(kernel: int, stride: int) -> None:
    layer, int8, frames = layer_and_frames(kernel, stride)
    expected, made = layer(frames), int8(frames)
    assert made.shape == expected.shape
    quiet = 50 // stride + 1  # from here on no window has a loud frame
    for part in (slice(0, 50 // stride - kernel), slice(quiet, None)):
        off = (made[part] - expected[part]).square().mean().sqrt()
        assert off / expected[part].std() < 0.03


@pytest.mark.parametrize("count", [98, 99, 100])
@pytest.mark.parametrize(("kernel", "stride"), KERNELS_AND_STRIDES)
def test_no_window_depends_on_others(kernel: int, stride: int, count: int) -> None:
    _, int8, frames = layer_and_frames(kernel, stride)
    together = int8(frames[:count])
    alone = [int8(frames[at : at + kernel]) for at in range(0, count - kernel + 1, stride)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-9)


def test_silence_comes_to_the_bias() -> None:
    layer, int8, frames = layer_and_frames(3, 2, bias=True)
    silent = int8(torch.zeros_like(frames))
    torch.testing.assert_close(silent, layer.product.bias.expand_as(silent))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter's
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # torch's own, of a scalar
def test_onnx_runtime_computes_the_same_at_any_length(tmp_path: Path) -> None:
    _, int8, frames = layer_and_frames(3, 2)
    file = tmp_path / "windows.onnx"
    torch.onnx.export(
        int8,
        (frames[:20],),
        file,
        opset_version=onnx_file.OPSET,
        dynamo=False,
        input_names=["frames"],
        dynamic_axes={"frames": {0: "F"}},
    )
    session = onnxruntime.InferenceSession(file)
    for count in (3, 4, 20, 99, 100):
        (made,) = session.run(None, {"frames": frames[:count].numpy()})
        expected = int8(frames[:count]).numpy()
        # A value between two levels may be rounded to either.
        np.testing.assert_allclose(made, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())
        assert made.shape == expected.shape
    operators = [node.op_type for node in onnx.load(file).graph.node]
    assert "MatMulIntegerToFloat" in operators
