"""Reads a checkpoint's config.json, and says what is wrong with one that cannot be served."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble.labels import UnknownLabelError, projection
from export.errors import ExportError
from export.manifest import Branch

AUDIO_MODEL_TYPES = ("wav2vec2", "hubert", "wavlm")

_HEAD = "ForSequenceClassification"
_SINGLE_LABEL = "single_label_classification"


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose config.json says that it can be served by `branch`."""

    branch: Branch
    folder: Path
    labels: dict[int, str]


def read(branch: Branch, folder: Path) -> Checkpoint:
    """Check config.json and return what it says.

    Raises:
        ExportError: not a checkpoint, not a classifier of the right kind, or unknown labels.
    """
    config = _config(folder)
    heads = config.get("architectures") or []
    if not any(head.endswith(_HEAD) for head in heads):
        raise ExportError(
            f"{folder} holds {' '.join(heads) or 'no known architecture'}: only …{_HEAD} "
            "checkpoints have emotions to predict; choose a fine-tuned one"
        )
    _check_kind(branch, folder, str(config.get("model_type")))
    return Checkpoint(branch, folder, _labels(config, folder))


def _check_kind(branch: Branch, folder: Path, model_type: str) -> None:
    if branch == "audio" and model_type not in AUDIO_MODEL_TYPES:
        raise ExportError(
            f"{folder} is a {model_type} model, which the audio branch cannot run: choose one of "
            + ", ".join(AUDIO_MODEL_TYPES)
        )
    if branch == "text" and model_type in AUDIO_MODEL_TYPES:
        raise ExportError(f"{folder} is a {model_type} model: export it as the audio branch")


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError(f"{file} is missing: name a folder with a checkpoint in it") from None
    except ValueError as error:
        raise ExportError(f"{file} is no JSON ({error}): fetch the checkpoint again") from None
    return dict(config)


def _labels(config: dict[str, Any], folder: Path) -> dict[int, str]:
    if (config.get("problem_type") or _SINGLE_LABEL) != _SINGLE_LABEL:
        raise ExportError(
            f"{folder} is trained for {config['problem_type']}: its outputs are no probabilities "
            "that add up to 1; choose a single-label checkpoint"
        )
    labels = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
    if not labels:
        raise ExportError(f"{folder / 'config.json'} names no labels: add id2label")
    try:
        projection(labels)
    except UnknownLabelError as error:
        raise ExportError(f"{folder}: {error}") from None
    return labels
