"""The served model repository: the hand-written one, with the chosen versions pinned.

The published versions already lie in it; everything else is written anew at each start.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.manifest import Branch, Manifest
from export.publish import MODELS
from export.versions import forbid_bytecode
from serving.accelerators import accelerate
from serving.choice import Choice, following, pin
from serving.configs import FILE_NAME, read_config, write_config
from serving.settings import PROJECT, Settings
from serving.trial import Trial, not_of, remove_ensembles, write_trial

__all__ = ["SOURCE", "read_config", "render"]

SOURCE = PROJECT / "model_repository"


def render(
    repository: Path,
    manifests: Mapping[Branch, Manifest],
    settings: Settings,
    gpu: bool = True,
    choices: Mapping[Branch, Choice] | None = None,
    trial: Trial | None = None,
) -> None:
    """Make `repository` servable; no Triton may be swapping its versions meanwhile.

    Args:
        repository: where the versions were published.
        manifests: the version that each branch serves.
        settings: limits of the decoder, the fusion strategy, and how GPU or cores are used.
        gpu: whether it will be served from one; without, the instances divide the cores, and clips
            are classified one by one.
        choices: how each branch came to its version; without, nobody promoted it.
        trial: the candidate beside them; without, a trial that was there ends.
    """
    chosen = choices or {branch: following(None, one) for branch, one in manifests.items()}
    versions = {model: {chosen[branch].version} for branch in MODELS for model in MODELS[branch]}
    if trial is not None:
        for model in MODELS[trial.branch]:
            versions[model].add(trial.version)
    for source in sorted(path.parent for path in SOURCE.glob(f"*/{FILE_NAME}")):
        config = read_config(source / FILE_NAME)
        for step in config.ensemble_scheduling.step:
            step.model_version = 1  # of those that hold no weights
        pin(config, manifests, chosen)
        if config.name in versions:
            config.version_policy.specific.versions[:] = sorted(versions[config.name])
        _apply_settings(config, settings)
        for branch, manifest in manifests.items():
            if config.name == MODELS[branch][-1]:
                accelerate(config, manifest, settings, gpu)
        _write_model(repository / source.name, source, config)
    if trial is not None:
        write_trial(repository, trial)
    remove_ensembles(repository, not_of(trial))


def _apply_settings(config: Any, settings: Settings) -> None:
    if config.name == "audio_decoder":
        config.parameters["max_seconds"].string_value = str(settings.max_audio_seconds)
        config.parameters["max_bytes"].string_value = str(settings.max_upload_bytes)
        config.parameters["max_channels"].string_value = str(settings.max_audio_channels)
    if config.name == "fusion":
        config.parameters["strategy"].string_value = settings.fusion_strategy
    if config.platform == "ensemble" and settings.response_cache_mb:
        config.response_cache.enable = True
    if config.name == "audio_classifier" and settings.audio_batch_size:
        config.max_batch_size = settings.audio_batch_size
    if config.backend == "python" and settings.step_instances:
        config.instance_group[0].count = settings.step_instances


def _write_model(target: Path, source: Path, config: Any) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for labels in source.glob("*.txt"):
        shutil.copy(labels, target)
    write_config(target, config)
    if not config.version_policy.HasField("specific"):  # else its versions are there already
        _write_version(target / "1", source / "1")


def _write_version(target: Path, source: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in source.glob("*.py"):
        shutil.copy(file, target)
        forbid_bytecode(target)
