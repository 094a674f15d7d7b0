"""Versions with a temperature: a published one again under a new number, or a starter in place."""

import dataclasses
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch, Manifest
from export.publish import MODELS, staged
from export.starter import FILES, GRAPHS, revision


def check_tools() -> None:
    """Raise ExportError if the package that rewrites graphs is missing."""
    if find_spec("onnx") is None:
        raise ExportError(
            "calibrating rewrites the graph, which needs onnx: pip install onnx (make export "
            "installs it too)"
        )


def publish_calibrated(
    repository: Path, branch: Branch, version: int, calibration: dict[str, Any]
) -> Manifest:
    """Publish a version's files again with a temperature in the graph, and return the manifest.

    The version itself stays as it is. As the newest of the same checkpoint and precision, the
    new one is what the next start serves.

    Args:
        repository: holds the version, and takes the new one.
        branch: whose it is.
        version: the version to calibrate; if it has a temperature, that is replaced.
        calibration: `temperature`, and whatever the manifest is to remember of the fit.

    Raises:
        ExportError: the disk is full or may not be written.
    """
    from export.temperature import apply  # onnx, which serving does without

    folders = {model: repository / model / str(version) for model in MODELS[branch]}
    with staged(repository, branch) as stage:
        for model, folder in folders.items():
            for file in folder.iterdir():
                if file.is_file() and file.name != manifests.FILE_NAME:
                    shutil.copyfile(file, stage.folder(model) / file.name)
        graph = stage.classifier / "model.onnx"
        apply(graph, calibration["temperature"], graph)
        manifest = manifests.read(folders[MODELS[branch][-1]])
        return stage.commit(dataclasses.replace(manifest, calibration=calibration))


def calibrate_starter(folder: Path, calibration: dict[str, Any]) -> Manifest:
    """Put a temperature into a shipped starter's graphs and manifest, and return the manifest."""
    from export.temperature import apply

    manifest = manifests.read(folder)
    for name in GRAPHS.values():
        if (folder / name).exists():
            apply(folder / name, calibration["temperature"], folder / name)
    files = [file for file in FILES[manifest.branch] if (folder / file).exists()]
    hashes = {file: manifests.sha256(folder / file) for file in files}
    manifest = dataclasses.replace(
        manifest, calibration=calibration, files=hashes, revision=revision(hashes)
    )
    (folder / manifests.FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return manifest
