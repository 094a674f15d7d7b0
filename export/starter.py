"""The starter checkpoints that the project ships, published without torch or onnx.

Each folder of `export/starters` holds a checkpoint and, written by `python -m export.pack`,
graph.onnx, whose weights are the checkpoint's own, and the manifest of both.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch, Manifest, Precision
from export.publish import find, staged

STARTERS = Path(__file__).parent / "starters"
GRAPH = "graph.onnx"
GRAPHS = {"fp32": GRAPH, "int8": "graph.int8.onnx", "fp16": "graph.fp16.onnx"}
"""By precision; the lower ones are there if they passed the gates that the manifest has."""

WEIGHTS = "model.safetensors"
FILES: dict[Branch, tuple[str, ...]] = {
    "text": (*GRAPHS.values(), WEIGHTS, "tokenizer.json"),
    "audio": (*GRAPHS.values(), WEIGHTS),
}
"""What a manifest lists of the files that there are."""


def name(branch: Branch) -> str:
    """Return what a starter is called in answers and manifests."""
    return f"neurosense/starter-{branch}"


def revision(hashes: Mapping[str, str]) -> str:
    """Return one digest of a starter's files, so that another starter is another revision."""
    lines = "".join(f"{digest}  {file}\n" for file, digest in sorted(hashes.items()))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()[:16]


def publish_starter(
    branch: Branch, repository: Path, starters: Path = STARTERS, precision: Precision = "auto"
) -> Manifest:
    """Publish the shipped checkpoint, or return its manifest if it is published already.

    Raises:
        ExportError: its files are missing or do not belong together, it has not passed the
            gate of the precision, or the disk is full.
    """
    folder = starters / branch
    manifest, graph = _in_precision(_checked(folder), precision)
    published = find(
        repository,
        branch,
        name=manifest.name,
        revision=manifest.revision,
        weights="starter",
        requested=precision,
    )
    if published:
        return published
    with staged(repository, branch) as stage:
        shutil.copyfile(folder / graph, stage.classifier / "model.onnx")
        shutil.copyfile(folder / WEIGHTS, stage.classifier / WEIGHTS)
        if branch == "text":
            stage.write_tokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), manifest)
        return stage.commit(manifest)


def _in_precision(manifest: Manifest, precision: Precision) -> tuple[Manifest, str]:
    """Return the manifest of the graph to publish, and its file."""
    passed = [name for name, graph in GRAPHS.items() if graph in manifest.files]
    best = "int8" if "int8" in passed else "fp32"
    chosen = best if precision == "auto" else precision
    if chosen not in passed:
        raise ExportError(
            f"{manifest.name} has not passed the gate of {chosen}: choose auto or fp32"
        )
    manifest = dataclasses.replace(
        manifest,
        precision=chosen,
        gate=(manifest.gates or {}).get(chosen),
        gates=None,
        requested=precision,
    )
    return manifest, GRAPHS[chosen]


def _checked(folder: Path) -> Manifest:
    try:
        manifest = manifests.read(folder)
        hashes = {file: manifests.sha256(folder / file) for file in manifest.files}
    except FileNotFoundError as error:
        raise ExportError(
            f"{error.filename} is missing: run from a complete checkout, or make it again with "
            "python -m export.pack"
        ) from None
    if wrong := [file for file, digest in hashes.items() if manifest.files.get(file) != digest]:
        raise ExportError(
            f"{folder / wrong[0]} is not the file that its manifest names: restore it, or run "
            "python -m export.pack after a change"
        )
    return dataclasses.replace(manifest, files=hashes)
