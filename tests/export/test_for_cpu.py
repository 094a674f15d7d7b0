"""What a graph for CPUs does in another way: with the same answers, and only there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from export import onnx_file
from export.checkpoint import read
from export.int8 import _fold, _watched
from export.manifest import Branch
from export.parity import run
from export.prepared import Prepared, prepare
from tests.export.checkpoints import audio_checkpoint, text_checkpoint
from tests.export.exported import AUDIO_KINDS

KINDS: dict[str, tuple[Branch, Callable[..., Path], dict[str, Any]]] = {
    "bert": ("text", text_checkpoint, {"kind": "bert"}),
    "roberta": ("text", text_checkpoint, {"kind": "roberta"}),
    "wav2vec2": ("audio", audio_checkpoint, {}),
    "hubert": ("audio", audio_checkpoint, AUDIO_KINDS["hubert"]),
    "wavlm": ("audio", audio_checkpoint, AUDIO_KINDS["wavlm"]),
}


def toy(kind: str, folder: Path) -> Prepared:
    branch, make, more = KINDS[kind]
    return prepare(read(branch, make(folder / "toy", **more)))


def rows_of(prepared: Prepared) -> list[npt.NDArray[Any]]:
    return [row.values for row in prepared.rows if row.expected is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_same(kind: str, tmp_path: Path) -> None:
    prepared = toy(kind, tmp_path)
    files = tmp_path / "gpu.onnx", tmp_path / "cpu.onnx"
    for file, for_cpu in zip(files, (False, True), strict=True):
        onnx_file.write(prepared.make_graph(), prepared.input_names, file, for_cpu)
    gpu, cpu = (onnxruntime.InferenceSession(file) for file in files)
    rows = rows_of(prepared)
    for batch in [*([row] for row in rows), rows, rows[::-1]]:
        lengths = [len(row) for row in batch]
        np.testing.assert_allclose(
            run(cpu, batch, lengths), run(gpu, batch, lengths), atol=1e-6, rtol=0
        )
    of_text, of_audio = {"EmbedLayerNormalization"}, {"Loop"}
    special = of_text if prepared.checkpoint.branch == "text" else of_audio
    assert operators(files[1]) & (of_text | of_audio) == special
    assert not operators(files[0]) & (of_text | of_audio)


def operators(file: Path) -> set[str]:
    return {node.op_type for node in onnx.load(file).graph.node}


@pytest.mark.parametrize("kind", KINDS)
def test_what_values_are_multiplied_by_changes_no_answer(kind: str, tmp_path: Path) -> None:
    prepared = toy(kind, tmp_path)
    graph, untouched = prepared.make_graph(), prepared.make_graph()

    def answers(module: Any) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([module(*alone(row))[0] for row in rows_of(prepared)])

    with _watched(graph) as seen:
        answers(graph)
    folded = list(_fold(graph, seen))
    assert len(folded) == 2  # a layer's each
    torch.testing.assert_close(answers(graph), answers(untouched), atol=1e-6, rtol=0)
    before = {layer: seen[layer].reach for layer in folded}
    with _watched(graph) as seen:
        answers(graph)
    for layer in folded:  # what was seen is what there is now
        torch.testing.assert_close(before[layer], seen[layer].reach, rtol=1e-3, atol=1e-5)


def alone(row: npt.NDArray[Any]) -> tuple[torch.Tensor, ...]:
    width = torch.tensor([[len(row)]], dtype=torch.int32)
    return torch.from_numpy(row), width, width
