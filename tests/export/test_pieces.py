"""Convolutions in pieces: the same answers, at every end of a piece, and only for CPUs."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from export import onnx_file
from export.audio_graph import front
from export.checkpoint import read
from export.manifest import Precision
from export.parity import run
from export.pieces import FRAMES
from export.prepared import prepare
from tests.export.checkpoints import audio_checkpoint
from tests.export.exported import AUDIO_KINDS, export, graph_file

HOP = 240  # samples from one frame of the toys to the next


@pytest.mark.parametrize("kind", ["wav2vec2, group norm", "wavlm, layer norm, stable"])
def test_answers_are_the_same(kind: str, tmp_path: Path) -> None:
    prepared = prepare(read("audio", audio_checkpoint(tmp_path / "toy", **AUDIO_KINDS[kind])))
    whole, pieces = (
        _session(prepared.make_graph(), prepared.input_names, tmp_path / f"{in_pieces}", in_pieces)
        for in_pieces in (False, True)
    )
    shortest = front(prepared.make_graph().model.config).min_samples
    random = np.random.default_rng(5)
    frames = [1, 2, FRAMES - 2, FRAMES - 1, FRAMES, FRAMES + 1, 2 * FRAMES, 3 * FRAMES - 1, 150]
    clips = [
        random.standard_normal(shortest + (count - 1) * HOP + more).astype(np.float32)
        for count in frames
        for more in (-1, 0, 1)
    ]
    for batch in [*([clip] for clip in clips), clips]:
        lengths = [len(clip) for clip in batch]
        found, expected = run(pieces, batch, lengths), run(whole, batch, lengths)
        np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


def _session(
    graph: object, names: list[str], file: Path, in_pieces: bool
) -> onnxruntime.InferenceSession:
    onnx_file.write(graph, names, file, in_pieces)
    assert _loops(file) == in_pieces
    return onnxruntime.InferenceSession(file)


@pytest.mark.parametrize(("precision", "loops"), [("fp32", 1), ("int8", 1), ("fp16", 0)])
def test_only_what_a_cpu_serves_is_in_pieces(
    precision: Precision, loops: int, tmp_path: Path
) -> None:
    toy = audio_checkpoint(tmp_path / "toy")
    published = export("audio", toy, tmp_path / "models", precision=precision, gated=False)
    assert _loops(graph_file(tmp_path / "models", published)) == loops


def _loops(file: Path) -> int:
    return [node.op_type for node in onnx.load(file).graph.node].count("Loop")
