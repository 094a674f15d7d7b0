"""Packed starters: the checkpoint's own weights, the export's own graph, and no torch."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForAudioClassification, AutoModelForSequenceClassification

from ensemble.labels import EMOTIONS
from export import audio_branch, audio_graph, onnx_file, parity, text_branch, text_graph
from export import manifest as manifests
from export.calibrated import calibrate_starter
from export.checkpoint import read
from export.errors import ExportError
from export.loading import load_feature_extractor
from export.manifest import Branch
from export.pack import main
from export.starter import STARTERS, publish_starter
from export.temperature import apply

LOADERS = {"text": AutoModelForSequenceClassification, "audio": AutoModelForAudioClassification}
WITHOUT_TORCH = """
import json, sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "onnx", "safetensors"):
            raise ImportError(name + " is not for serving")

sys.meta_path.insert(0, Blocked())
import export.hub, export.publish, export.run
from export.starter import publish_starter
for branch in ("text", "audio"):
    print(publish_starter(branch, Path(sys.argv[1])).to_json())
"""


@pytest.fixture(scope="module")
def packed(bert: Path, wav2vec2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy checkpoints in float16, packed."""
    folder = tmp_path_factory.mktemp("packed")
    for branch, source in (("text", bert), ("audio", wav2vec2)):
        shutil.copytree(source, folder / branch)
        model = LOADERS[branch].from_pretrained(source, dtype=torch.float16)
        model.save_pretrained(folder / branch)
    main(["--starters", str(folder)])
    return folder


@pytest.fixture
def starters(packed: Path, tmp_path: Path) -> Path:
    """A copy of them that a test may change."""
    return Path(shutil.copytree(packed, tmp_path / "starters"))


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_packed_graph_equals_a_fresh_export(branch: Branch, starters: Path, tmp_path: Path) -> None:
    check_equal(branch, starters / branch, tmp_path)


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_shipped_graph_equals_a_fresh_export(branch: Branch, tmp_path: Path) -> None:
    check_equal(branch, STARTERS / branch, tmp_path)


def check_equal(branch: Branch, folder: Path, work: Path) -> None:
    checkpoint = read(branch, folder)
    random = np.random.default_rng(3)
    if branch == "text":
        graph = text_branch.make_graph(checkpoint, manifests.read(folder).pad_id or 0)
        names = text_graph.INPUT_NAMES
        rows = [random.integers(2, 90, n) for n in (1, 9, 33)]
    else:
        do_normalize = load_feature_extractor(checkpoint).do_normalize
        graph = audio_branch.make_graph(checkpoint, do_normalize)
        names = audio_graph.INPUT_NAMES
        rows = [random.standard_normal(n).astype(np.float32) for n in (400, 16_000, 7_777)]
    onnx_file.write(graph, names, work / "fresh.onnx")
    apply(work / "fresh.onnx", manifests.read(folder).temperature, work / "fresh.onnx")
    lengths = [len(row) for row in rows]
    packed, fresh = (
        parity.run(onnxruntime.InferenceSession(file), rows, lengths)
        for file in (folder / "graph.onnx", work / "fresh.onnx")
    )
    np.testing.assert_allclose(packed, fresh, atol=1e-7)


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_weights_are_not_shipped_twice(branch: Branch) -> None:
    folder = STARTERS / branch
    graph = onnx.load(folder / "graph.onnx", load_external_data=False).graph
    outside = [w for w in graph.initializer if w.data_location == onnx.TensorProto.EXTERNAL]
    assert {
        entry.value for w in outside for entry in w.external_data if entry.key == "location"
    } == {"model.safetensors"}
    weights = (folder / "model.safetensors").stat().st_size
    assert (folder / "graph.onnx").stat().st_size < 0.2 * weights


def test_casts_are_done_when_the_model_is_loaded(starters: Path, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(starters / "audio/graph.onnx", options)
    graph = onnx.load(tmp_path / "loaded.onnx").graph
    assert onnx.TensorProto.FLOAT16 not in {weight.data_type for weight in graph.initializer}


@pytest.mark.slow
def test_packing_again_changes_nothing_until_the_weights_change(
    starters: Path, tmp_path: Path
) -> None:
    """The temperature stays with its weights, and other weights are another revision."""
    folder = starters / "audio"
    calibrate_starter(folder, {"temperature": 1.3})
    first = publish_starter("audio", tmp_path / "repository", starters)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    main(["audio", "--starters", str(starters)])
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    check_equal("audio", folder, starters)
    model = AutoModelForAudioClassification.from_pretrained(folder, dtype="auto")
    with torch.no_grad():
        model.classifier.bias += 0.5
    model.save_pretrained(folder)
    with pytest.raises(ExportError, match="is not the file"):
        publish_starter("audio", tmp_path / "repository", starters)
    main(["audio", "--starters", str(starters)])
    assert manifests.read(folder).temperature == 1.0
    second = publish_starter("audio", tmp_path / "repository", starters)
    assert (first.version, second.version) == (1, 2)
    assert first.revision != second.revision


def test_missing_starter_is_named(starters: Path, tmp_path: Path) -> None:
    (starters / "text/graph.onnx").unlink()
    with pytest.raises(ExportError, match="onnx is missing"):
        publish_starter("text", tmp_path / "repository", starters)


def test_publishing_needs_no_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text, audio = (json.loads(part) for part in printed.replace("}\n\n{", "}\n\0{").split("\0"))
    assert (text["branch"], audio["branch"]) == ("text", "audio")
    for model in ("text_classifier", "audio_classifier"):
        onnxruntime.InferenceSession(tmp_path / model / "1/model.onnx")


@pytest.mark.parametrize("graph", ["graph.onnx", "graph.fp16.onnx"])
def test_silence_is_neutral(graph: str) -> None:
    """A muted microphone sends zeros, or noise of its last bit; both are nobody's joy."""
    session = onnxruntime.InferenceSession(STARTERS / "audio" / graph)
    random = np.random.default_rng(0)
    silent = [np.zeros(samples, np.float32) for samples in (8_000, 16_000, 160_000)]
    last_bit = (0.7 * random.standard_normal(16_000)).round().astype(np.float32) / 32768
    found = [parity.run(session, [row], [len(row)])[0] for row in (*silent, last_bit)]
    assert {EMOTIONS[answer.argmax()] for answer in found} == {"neutral"}
    assert min(answer.max() for answer in found) > 0.7
    shown = re.search(
        r"(0\.\d+) for half a second of zeros, (0\.\d+) for one, (0\.\d+) for ten",
        (STARTERS / "audio/README.md").read_text(),
    )
    assert shown is not None
    assert [answer.max() for answer in found[:3]] == pytest.approx(
        [float(figure) for figure in shown.groups()], abs=0.006
    )
