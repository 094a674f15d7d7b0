"""The config.pbtxt files of a served repository, each written whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.versions import sync, versions

FILE_NAME = "config.pbtxt"
_ENSEMBLE = "ensemble"
_STEPS = "steps.json"
"""All that an ensemble's version folder holds: the versions of the steps that it calls."""


def read_config(path: Path) -> Any:
    """Return a config.pbtxt as a `ModelConfig` message."""
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def write_config(model: Path, config: Any, numbered_in: Path | None = None) -> None:
    """Put a config into a model's folder, and onto the disk, by one rename.

    An ensemble's version number stands for the versions of its steps: Triton puts it on every
    answer, which so tells the steps that it came from, also while versions are swapped. What
    `numbered_in`, another folder, knows a number for gets that one.
    """
    model.mkdir(parents=True, exist_ok=True)
    if config.platform == _ENSEMBLE:
        known = numbered_in or model
        number = str(_number(known, config))
        if known != model:
            shutil.copytree(known / number, model / number, dirs_exist_ok=True)
        config.version_policy.specific.versions[:] = [int(number)]
    partial = model / f".{FILE_NAME}"
    partial.write_text(text_format.MessageToString(config))
    sync(partial)
    partial.replace(model / FILE_NAME)
    sync(model)


def _number(model: Path, config: Any) -> int:
    """Return the number that stands for an ensemble's steps, a new one for new steps."""
    steps = {step.model_name: step.model_version for step in config.ensemble_scheduling.step}
    content = json.dumps(steps, indent=2) + "\n"
    known = [n for n in versions(model) if _content(model / str(n)) == content]
    number = known[0] if known else 1 + max(versions(model), default=0)
    if not known:
        folder = model / str(number)
        folder.mkdir()
        partial = folder / f".{_STEPS}"
        partial.write_text(content)
        partial.replace(folder / _STEPS)
    return number


def _content(folder: Path) -> str:
    file = folder / _STEPS
    return file.read_text() if file.exists() else ""
