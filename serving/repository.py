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

from serving.settings import PROJECT, Branch, Settings

SOURCE = PROJECT / "model_repository"

WEIGHTED_STEPS: Mapping[Branch, tuple[str, ...]] = {
    "text": ("text_tokenizer", "text_classifier"),
    "audio": ("audio_classifier",),
}
"""The models that hold a checkpoint; their versions are published, the others' is always 1."""


def read_config(path: Path) -> Any:
    """Return a config.pbtxt as a `ModelConfig` message."""
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def render(
    repository: Path, versions: Mapping[Branch, Mapping[str, Any]], settings: Settings
) -> None:
    """Make `repository` servable.

    Args:
        repository: where the versions were published.
        versions: for each branch what answers say of it; `version` pins its steps, and
            `name`, `weights`, `revision` and `coverage` go into the ensembles' `parameters`.
        settings: limits of the decoder and the fusion strategy.
    """
    pins = {
        model: int(versions[branch]["version"])
        for branch, models in WEIGHTED_STEPS.items()
        for model in models
    }
    for source in sorted(path.parent for path in SOURCE.glob("*/config.pbtxt")):
        config = read_config(source / "config.pbtxt")
        _pin(config, pins, versions)
        _apply_settings(config, settings)
        _write_model(repository / source.name, source, config, pins.get(source.name, 1))


def _pin(
    config: Any, pins: Mapping[str, int], versions: Mapping[Branch, Mapping[str, Any]]
) -> None:
    """Make the model serve, and an ensemble's steps call, exactly the chosen version."""
    if config.name in pins:
        config.version_policy.specific.versions[:] = [pins[config.name]]
    models = set()
    for step in config.ensemble_scheduling.step:
        step.model_version = pins.get(step.model_name, 1)
        models.add(step.model_name)
    for branch, steps in WEIGHTED_STEPS.items():
        if models.intersection(steps):
            config.parameters[branch].string_value = json.dumps(versions[branch])


def _apply_settings(config: Any, settings: Settings) -> None:
    if config.name == "audio_decoder":
        config.parameters["max_seconds"].string_value = str(settings.max_audio_seconds)
        config.parameters["max_bytes"].string_value = str(settings.max_upload_bytes)
        config.parameters["max_channels"].string_value = str(settings.max_audio_channels)
    if config.name == "fusion":
        config.parameters["strategy"].string_value = settings.fusion_strategy


def _write_model(target: Path, source: Path, config: Any, version: int) -> None:
    version_folder = target / str(version)
    version_folder.mkdir(parents=True, exist_ok=True)
    for labels in source.glob("*.txt"):
        shutil.copy(labels, target)
    if (source / "1" / "model.py").exists():
        shutil.copy(source / "1" / "model.py", version_folder)
    partial = target / ".config.pbtxt"
    partial.write_text(text_format.MessageToString(config))
    partial.replace(target / "config.pbtxt")
