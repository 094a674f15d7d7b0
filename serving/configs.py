"""The config.pbtxt files of a served repository, each written whole or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.manifest import Branch
from export.versions import sync

FILE_NAME = "config.pbtxt"
_ENSEMBLE = "ensemble"
_STEPS = "steps.json"
"""All that an ensemble's version folder holds: the steps that it calls, and whose weights."""

_NUMBER_BYTES = 6
"""Of a hash: a version is an int64 to Triton, and to programs that know none above 2^53."""


def read_config(path: Path) -> Any:
    """Return a config.pbtxt as a `ModelConfig` message."""
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def write_config(model: Path, config: Any) -> None:
    """Put a config into a model's folder, and onto the disk, by one rename.

    An ensemble's version number stands for its steps and for the weights in them: Triton puts it
    on every answer, which so tells what gave it, also while versions are swapped. It is made of
    what it stands for, so that it means the same in every repository.
    """
    model.mkdir(parents=True, exist_ok=True)
    if config.platform == _ENSEMBLE:
        config.version_policy.specific.versions[:] = [_numbered(model, config)]
    partial = model / f".{FILE_NAME}"
    partial.write_text(text_format.MessageToString(config))
    sync(partial)
    partial.replace(model / FILE_NAME)
    sync(model)


def _numbered(model: Path, config: Any) -> int:
    """Return the number of an ensemble's version, whose folder is there then."""
    content = json.dumps(_answering(config), indent=2) + "\n"
    number = int.from_bytes(hashlib.sha256(content.encode()).digest()[:_NUMBER_BYTES])
    folder = model / str(number)
    folder.mkdir(exist_ok=True)
    partial = folder / f".{_STEPS}"
    partial.write_text(content)
    partial.replace(folder / _STEPS)
    return number


def _answering(config: Any) -> dict[str, Any]:
    steps = {step.model_name: step.model_version for step in config.ensemble_scheduling.step}
    weights = {
        branch: json.loads(config.parameters[branch].string_value)
        for branch in get_args(Branch)
        if branch in config.parameters
    }
    return {"steps": steps, "weights": weights}
