"""The config.pbtxt files of a served repository, each written whole or not at all."""

import shutil
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.versions import sync, versions

FILE_NAME = "config.pbtxt"
_ENSEMBLE = "ensemble"
_README = "An ensemble's version folder is empty: its steps hold the models.\n"


def read_config(path: Path) -> Any:
    """Return a config.pbtxt as a `ModelConfig` message."""
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def write_config(model: Path, config: Any) -> None:
    """Put a config into a model's folder, and onto the disk, by one rename.

    An ensemble whose config changes gets a version number that it never had: Triton puts it on
    every answer, which so tells the steps that it came from, also while versions are swapped.
    """
    model.mkdir(parents=True, exist_ok=True)
    if config.platform == _ENSEMBLE:
        _number(model, config)
    partial = model / f".{FILE_NAME}"
    partial.write_text(text_format.MessageToString(config))
    sync(partial)
    partial.replace(model / FILE_NAME)
    sync(model)


def _number(model: Path, config: Any) -> None:
    served = config.version_policy.specific.versions
    file = model / FILE_NAME
    old = read_config(file) if file.exists() else None
    if old is not None:
        served[:] = old.version_policy.specific.versions
    if not served or config != old:
        served[:] = [1 + max(versions(model), default=0)]
    folder = model / str(served[0])
    folder.mkdir(exist_ok=True)
    (folder / "README").write_text(_README)  # object stores know no empty folders


def tidy(model: Path) -> None:
    """Remove the version folders of an ensemble that are not served any more."""
    served = read_config(model / FILE_NAME).version_policy.specific.versions
    for version in set(versions(model)) - set(served):
        shutil.rmtree(model / str(version), ignore_errors=True)
