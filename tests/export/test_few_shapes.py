"""What a GPU would search for anew at each length is left out, or sees few lengths."""

import onnx
import torch

from export.packed_encoder import rounded_up
from tests.export.exported import Exported


def test_a_stream_of_frames_has_one_of_few_lengths() -> None:
    lengths = torch.arange(64, 50_000)
    rounded = rounded_up(lengths)
    assert ((rounded >= lengths) & (4 * rounded <= 5 * lengths)).all()
    assert len(rounded.unique()) < 45
    assert (rounded_up(rounded) == rounded).all()


def test_only_the_positional_convolution_is_a_convolution(exported_audio: Exported) -> None:
    """The others are products; its bias would choose a slow kernel for it."""
    graph = onnx.load(exported_audio.file, load_external_data=False).graph
    convolutions = [node for node in graph.node if "Conv" in node.op_type]
    assert [len(node.input) for node in convolutions] == [2]
