"""The served model repository: the hand-written one, with the chosen versions pinned.

The published versions already lie in it; everything else is written anew at each start.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.manifest import Branch, Manifest
from export.publish import MODELS
from serving.settings import PROJECT, Settings

SOURCE = PROJECT / "model_repository"


def read_config(path: Path) -> Any:
    """Return a config.pbtxt as a `ModelConfig` message."""
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def render(
    repository: Path, manifests: Mapping[Branch, Manifest], settings: Settings, gpu: bool = True
) -> None:
    """Make `repository` servable.

    Args:
        repository: where the versions were published.
        manifests: the version that each branch serves.
        settings: limits of the decoder and the fusion strategy.
        gpu: whether it will be served from one; without, clips are classified one by one.
    """
    pins = {model: manifests[branch].version for branch in MODELS for model in MODELS[branch]}
    for source in sorted(path.parent for path in SOURCE.glob("*/config.pbtxt")):
        config = read_config(source / "config.pbtxt")
        _pin(config, pins, manifests)
        _apply_settings(config, settings)
        if not gpu and config.name == "audio_classifier":
            # On a CPU one clip keeps all cores busy: gathered ones would only wait for each
            # other, and their attention work on padding (measured: benchmarks/README.md).
            config.dynamic_batching.preferred_batch_size[:] = [1]
        _write_model(repository / source.name, source, config)
        if source.name not in pins:  # else its versions were published, and stay as they are
            _write_version(repository / source.name / "1", source / "1")


def _pin(config: Any, pins: Mapping[str, int | None], manifests: Mapping[Branch, Manifest]) -> None:
    """Make the model serve, and an ensemble's steps call, exactly the chosen version.

    The ensembles' `parameters` say for each branch whose answer it is; the API reads them.
    """
    if config.name in pins:
        config.version_policy.specific.versions[:] = [pins[config.name]]
    steps = config.ensemble_scheduling.step
    for step in steps:
        step.model_version = pins.get(step.model_name, 1)
    for branch, manifest in manifests.items():
        if any(step.model_name in MODELS[branch] for step in steps):
            config.parameters[branch].string_value = _identity(manifest)


def _identity(manifest: Manifest) -> str:
    return json.dumps(
        {
            "name": manifest.name,
            "version": str(manifest.version),
            "weights": manifest.weights,
            "revision": manifest.revision,
            "coverage": manifest.coverage,
            "precision": manifest.precision,
            "calibration": manifest.calibration,
        }
    )


def _apply_settings(config: Any, settings: Settings) -> None:
    if config.name == "audio_decoder":
        config.parameters["max_seconds"].string_value = str(settings.max_audio_seconds)
        config.parameters["max_bytes"].string_value = str(settings.max_upload_bytes)
        config.parameters["max_channels"].string_value = str(settings.max_audio_channels)
    if config.name == "fusion":
        config.parameters["strategy"].string_value = settings.fusion_strategy


def _write_model(target: Path, source: Path, config: Any) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for labels in source.glob("*.txt"):
        shutil.copy(labels, target)
    partial = target / ".config.pbtxt"
    partial.write_text(text_format.MessageToString(config))
    partial.replace(target / "config.pbtxt")


def _write_version(target: Path, source: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in source.glob("*.py"):
        shutil.copy(file, target)
