"""From a checkpoint, on the hub or in a folder, to a version that Triton can load."""

import dataclasses
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from export import manifest as manifests
from export.checkpoint import read
from export.errors import ExportError
from export.manifest import Branch, Manifest, Precision, Weights
from export.progress import Progress
from export.publish import staged

DEFAULTS: dict[Branch, tuple[str, str]] = {
    "text": (
        "j-hartmann/emotion-english-distilroberta-base",
        "0e1cd914e3d46199ed785853e12b57304e04178b",
    ),
    "audio": ("superb/wav2vec2-base-superb-er", "441a7599c3b22107314dcbd9166621c5c83f2cc5"),
}
"""The published checkpoints: hub id and pinned revision."""

DEFAULT_TOLERANCE = 1e-4


def export_checkpoint(
    branch: Branch,
    source: str,
    revision: str | None,
    repository: Path,
    *,
    weights: Literal["hub", "local"],
    tolerance: float = DEFAULT_TOLERANCE,
    precision: Precision = "auto",
    gated: bool = True,
    progress: Progress,
) -> Manifest:
    """Publish a checkpoint, if its graph passes the parity gate.

    Args:
        branch: which half of the service it is for.
        source: an id on the hub, or a folder.
        revision: a commit, branch or tag on the hub; None for its default branch.
        repository: where Triton's models lie; the version goes to `<model>/<version>/`.
        weights: where `source` is.
        tolerance: how far a probability may be off the checkpoint's.
        precision: the graph's; `auto` takes int8 where its answers agree with float32's.
        gated: false publishes a precision whatever it does to the answers, to measure its speed.
        progress: is told each stage in a line.

    Raises:
        ExportError: nothing was published; the message says why and names the way out.
    """
    folder = Path(source) if weights == "local" else _fetch(source, revision, progress)
    checkpoint = read(branch, folder)
    _check_tools()
    from export.build import build  # torch and transformers, which serving does without
    from export.prepared import prepare

    progress(f"loading {source} and running it over the test cases")
    prepared = prepare(checkpoint)
    with staged(repository, branch) as stage:
        file = stage.classifier / "model.onnx"
        manifest = build(prepared, file, tolerance, progress, precision, gated)
        name, commit = origin(source, folder, weights)
        manifest = dataclasses.replace(manifest, name=name, revision=commit, weights=weights)
        if prepared.tokenizer:
            stage.write_tokenizer(prepared.tokenizer, manifest)
        manifest = stage.commit(manifest)
    progress(f"published {source} as version {manifest.version}")
    return manifest


def _fetch(source: str, revision: str | None, progress: Progress) -> Path:
    from export.hub import fetch  # whose client takes as long to import as all else

    return fetch(source, revision, progress)


def _check_tools() -> None:
    missing = [name for name in ("onnx", "torch", "transformers") if not find_spec(name)]
    if missing:
        raise ExportError(
            f"exporting needs {', '.join(missing)}: make export installs them "
            "(or pip install '.[export]')"
        )


def origin(source: str, folder: Path, weights: Weights) -> tuple[str, str]:
    """Return name and revision: id and commit on the hub, or a folder's name and a digest of it."""
    if weights == "hub":
        return source, folder.name
    digests = [manifests.sha256(file) for file in sorted(folder.iterdir()) if file.is_file()]
    revision = "sha256:" + hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    return folder.resolve().name, revision
