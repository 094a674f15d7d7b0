"""What a GPU would search for anew at each length is left out, or sees few lengths."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from export import fp16, onnx_file
from export.checkpoint import read
from export.packed_encoder import rounded_up
from export.parity import run
from export.prepared import prepare
from export.starter import GRAPHS, STARTERS
from tests.export.exported import Exported

SHORTEST, HOP, GAP = 250, 240, 4
"""Of the toys: samples of one frame, samples to the next, and frames of zeros between clips."""


def test_a_stream_of_frames_has_one_of_few_lengths() -> None:
    lengths = torch.arange(64, 50_000)
    rounded = rounded_up(lengths)
    assert ((rounded >= lengths) & (8 * rounded <= 9 * lengths)).all()
    assert len(rounded.unique()) < 80
    assert (rounded_up(rounded) == rounded).all()


def test_only_the_positional_convolution_is_a_convolution(exported_audio: Exported) -> None:
    check_convolutions(exported_audio.file)


@pytest.mark.parametrize("graph", ["fp32", "fp16"])
def test_that_of_the_shipped_graphs_too(graph: str) -> None:
    check_convolutions(STARTERS / "audio" / GRAPHS[graph])


def check_convolutions(file: Path) -> None:
    """The others are products; a bias would choose a slow kernel for it."""
    graph = onnx.load(file, load_external_data=False).graph
    convolutions = [node for node in graph.node if "Conv" in node.op_type]
    assert [len(node.input) for node in convolutions] == [2]


def test_a_length_that_float16_cannot_hold_is_right_in_its_graph(
    wav2vec2: Path, tmp_path: Path
) -> None:
    """Computed in float16, a stream of 4,098 frames would come out as one of 4,096: too short."""
    prepared = prepare(read("audio", wav2vec2))
    whole, rounded = tmp_path / "whole.onnx", tmp_path / "rounded.onnx"
    onnx_file.write(prepared.make_graph(), prepared.input_names, whole)
    fp16.write_rounded(whole, rounded)
    session = onnxruntime.InferenceSession(rounded)
    for stream in (4_098, 8_196):
        frames = stream - 3 * GAP  # of two clips, with zeros before, between and behind them
        clips = [noise(frames // 2), noise(frames - frames // 2)]
        together = run(session, clips, [len(clip) for clip in clips])
        alone = np.concatenate([run(session, [clip], [len(clip)]) for clip in clips])
        np.testing.assert_allclose(together, alone, atol=1e-3)


def noise(frames: int) -> npt.NDArray[np.float32]:
    samples = np.random.default_rng(frames).standard_normal(SHORTEST + HOP * (frames - 1))
    return (0.1 * samples).astype(np.float32)
