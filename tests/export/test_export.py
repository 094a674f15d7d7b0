"""Checkpoints of every supported kind go through the whole path, and wrong ones do not."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from ensemble.labels import EMOTIONS
from ensemble.tokenizing import TextTokenizer
from export.errors import ExportError
from export.manifest import sha256
from tests.export.checkpoints import (
    MAX_TOKENS,
    audio_checkpoint,
    change_config,
    text_checkpoint,
)
from tests.export.exported import Exported, export, found, open_graph


@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert"])
def test_text_checkpoint_becomes_a_version(kind: str, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    manifest = export("text", text_checkpoint(tmp_path / kind, kind), repository)
    assert (manifest.version, manifest.max_tokens) == (1, MAX_TOKENS)
    assert manifest.coverage == list(EMOTIONS)
    assert 0 < manifest.parity["max_abs_diff"] < 1e-4
    tokenizer = TextTokenizer(repository / "text_tokenizer/1/tokenizer.json")
    assert (tokenizer.max_tokens, tokenizer.pad_id) == (MAX_TOKENS, manifest.pad_id)
    assert (repository / "text_tokenizer/1/model.py").is_file()
    session = open_graph(repository, manifest)
    inputs = tokenizer.encode([b"I love this!"])
    width = np.array([[inputs["input_ids"].shape[1]]], dtype=np.int32)
    probabilities, covered = session.run(
        ["probabilities", "coverage"],
        {
            "input_ids": inputs["input_ids"][0],
            "length": inputs["length"],
            "input_ids_stride": width,
        },
    )
    assert probabilities.shape == covered.shape == (1, 7)
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert covered.tolist() == [[1.0] * 7]


def test_audio_checkpoint_becomes_a_version(exported_audio: Exported) -> None:
    manifest = exported_audio.manifest
    assert manifest.coverage == ["anger", "joy", "neutral", "sadness"]
    assert manifest.labels == {"0": "neu", "1": "hap", "2": "ang", "3": "sad"}
    assert manifest.sample_rate_hz == 16_000
    assert 0 < manifest.parity["max_abs_diff"] < 1e-4


def test_manifest_describes_the_files_beside_it(bert: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    first = export("text", bert, repository)
    second = export("text", bert, repository)
    assert (first.version, second.version) == (1, 2)
    for file, digest in second.files.items():
        model, _, name = file.partition("/")
        assert sha256(repository / model / "2" / name) == digest
    written = json.loads((repository / "text_classifier/2/manifest.json").read_text())
    assert written["files"] == second.files
    assert written["weights"] == "local"
    newest = found(
        repository, "text", name="bert", revision=second.revision, weights=second.weights
    )
    assert newest == second
    assert found(repository, "text", name="bert", revision="other", weights="local") is None
    assert found(repository, "text", name="bert", revision=None, weights="hub") is None


def test_min_samples_is_the_receptive_field(tmp_path: Path) -> None:
    usual = {"conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]}
    sizes: dict[str, Any] = {**usual, "conv_dim": [8] * 7, "num_feat_extract_layers": 7}
    folder = audio_checkpoint(tmp_path / "checkpoint", **sizes)
    assert export("audio", folder, tmp_path / "repository").min_samples == 400


def test_labels_are_added_up_by_name(tmp_path: Path) -> None:
    labels = ["happy", "SAD", "joy", "sur"]
    manifest = export(
        "text", text_checkpoint(tmp_path / "bert", labels=labels), tmp_path / "repository"
    )
    assert manifest.coverage == ["joy", "sadness", "surprise"]


def test_tokenizer_cuts_at_the_models_limit(tmp_path: Path) -> None:
    export("text", text_checkpoint(tmp_path / "roberta", "roberta"), tmp_path / "repository")
    file = tmp_path / "repository/text_tokenizer/1/tokenizer.json"
    assert len(Tokenizer.from_file(str(file)).encode("long " * 100).ids) == MAX_TOKENS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "fine-tuned"),
        ({"id2label": {"0": "bored", "1": "joy"}}, "bored"),
        ({"id2label": {}}, "id2label"),
        ({"problem_type": "multi_label_classification"}, "single-label"),
        ({"model_type": "wav2vec2"}, "audio branch"),
        ({"num_hidden_layers": 3}, "lacks weights"),
    ],
)
def test_wrong_text_checkpoint_is_refused(
    change: dict[str, Any], words: str, bert: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(bert, tmp_path / "bert")
    change_config(folder, **change)
    with pytest.raises(ExportError, match=words):
        export("text", folder, tmp_path / "repository")
    assert not list(tmp_path.glob("repository/*/*"))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_incomplete_text_checkpoint_is_refused(missing: str, bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "bert")
    (folder / missing).unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)
    with pytest.raises(ExportError, match=str(folder)):
        export("text", folder, tmp_path / "repository")


def test_wrong_audio_checkpoint_is_refused(bert: Path, wav2vec2: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(wav2vec2, tmp_path / "checkpoint")
    preprocessor = folder / "preprocessor_config.json"
    fields = json.loads(preprocessor.read_text())
    preprocessor.write_text(json.dumps({**fields, "sampling_rate": 8000}))
    with pytest.raises(ExportError, match="8000 Hz"):
        export("audio", folder, tmp_path / "repository")
    preprocessor.unlink()
    with pytest.raises(ExportError, match="no preprocessor_config"):
        export("audio", folder, tmp_path / "repository")
    with pytest.raises(ExportError, match="wav2vec2, hubert, wavlm"):
        export("audio", bert, tmp_path / "repository")
