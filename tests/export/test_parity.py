"""The gate lets nothing through that is wrong: faults are planted and must be found."""

from pathlib import Path
from typing import Any

import pytest
import torch

from export import audio_branch, frames, ragged, text_branch
from export.errors import ExportError
from tests.export.checkpoints import audio_checkpoint
from tests.export.exported import export


def refused(branch: Any, folder: Path, repository: Path) -> str:
    with pytest.raises(ExportError, match="differs from the checkpoint by") as caught:
        export(branch, folder, repository)
    assert not list(repository.glob("*/*"))
    return str(caught.value)


def test_group_norm_over_padding_is_found(
    wav2vec2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics = frames._GroupNormed._statistics

    def over_everything(self: Any, windows: Any, counts: Any) -> Any:
        return statistics(self, windows, torch.full_like(counts, windows.shape[1]))

    monkeypatch.setattr(frames._GroupNormed, "_statistics", over_everything)
    assert "0.0001" in refused("audio", wav2vec2, tmp_path / "repository")


def test_unmasked_attention_is_found(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def all_valid(*arguments: Any, **named: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows, valid = ragged.pad_rows(*arguments, **named)
        return rows, torch.ones_like(valid)

    monkeypatch.setattr("export.text_graph.pad_rows", all_valid)
    assert "in a batch of" in refused("text", bert, tmp_path / "repository")


def test_rows_out_of_place_are_found(
    wav2vec2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def ignore_strides(flat: Any, length: Any, stride: Any, **named: Any) -> Any:
        return ragged.pad_rows(flat, length, length + 0 * stride, **named)

    monkeypatch.setattr("export.audio_graph.pad_rows", ignore_strides)
    refused("audio", wav2vec2, tmp_path / "repository")


def test_other_weights_are_found(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = text_branch.make_graph

    def slightly_off(*arguments: Any) -> Any:
        made = graph(*arguments)
        with torch.no_grad():
            made.model.classifier.weight.mul_(1.01)
        return made

    monkeypatch.setattr(text_branch, "make_graph", slightly_off)
    assert "alone" in refused("text", bert, tmp_path / "repository")


def test_forgotten_normalisation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = audio_checkpoint(tmp_path / "checkpoint", do_normalize=True)
    graph = audio_branch.make_graph
    monkeypatch.setattr(audio_branch, "make_graph", lambda checkpoint, _: graph(checkpoint, False))
    refused("audio", folder, tmp_path / "repository")


def test_no_tolerance_lets_nothing_through(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="at most 0 is allowed"):
        export("text", bert, tmp_path / "repository", tolerance=0.0)
