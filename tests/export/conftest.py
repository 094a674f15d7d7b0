"""Toy checkpoints and their exports, made once: nothing changes them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest

from export import real_inputs
from tests.export.checkpoints import audio_checkpoint, text_checkpoint
from tests.export.exported import AUDIO_KINDS, Exported, export, graph_file
from tests.export.hub_server import NAME, Hub, serve


@pytest.fixture(scope="package", autouse=True)
def _few_cuts() -> Iterator[None]:
    """Fewer clips to calibrate with and judge by: most checkpoints here are toys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real_inputs, "_CALIBRATION_CUTS", 10)
        patch.setattr(real_inputs, "_JUDGED_CUTS", 20)
        yield


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_checkpoint(tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture(scope="session")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audio_checkpoint(tmp_path_factory.mktemp("checkpoints") / "wav2vec2")


_VARIANTS = (
    "wav2vec2, group norm",
    "wav2vec2, normalised",
    "hubert, batch norm, no projection norm",
    "wavlm, layer norm, stable",
)
"""The others have all families, and all norms, between them."""


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(kind, marks=[pytest.mark.slow] if kind in _VARIANTS else [])
        for kind in AUDIO_KINDS
    ],
)
def exported_audio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    work = tmp_path_factory.mktemp("exported")
    folder = audio_checkpoint(work / "checkpoint", **AUDIO_KINDS[request.param])
    manifest = export("audio", folder, work / "repository")
    file = graph_file(work / "repository", manifest)
    return Exported(folder, manifest, file, onnxruntime.InferenceSession(file))


@pytest.fixture
def hub(bert: Path, tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    shutil.copytree(bert, folder / NAME)
    (folder / NAME / "README.md").write_text("not needed")
    (folder / NAME / "tf_model.h5").write_bytes(b"not needed either")
    with serve(folder) as running:
        yield running
