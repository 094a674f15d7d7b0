"""The models that are timed: a checkpoint, and the ONNX graphs that were made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.peers.naive_onnx import naive_onnx
from benchmarks.weights import full_size
from export import manifest as manifests
from export.checkpoint import Checkpoint, read
from export.errors import ExportError
from export.manifest import Branch
from export.progress import Progress
from export.versions import MODELS, versions


@dataclass(frozen=True)
class Models:
    """All that runs at a point."""

    checkpoint: Checkpoint
    weights: str
    """Whose they are, for the report."""
    naive: Path | None
    """As `torch.onnx.export` writes the unchanged model."""
    ours: Mapping[str, Path]
    """Exported by us: `model.onnx` by precision."""

    def files(self) -> dict[str, Path]:
        """Return the files that decide a figure, by a name."""
        files = {file.name: file for file in self.checkpoint.folder.iterdir() if file.is_file()}
        if self.naive is not None:
            files["naive"] = self.naive
        return files | dict(self.ours)


def full_size_models(
    branch: Branch, ours: Mapping[str, Path], folder: Path, say: Progress
) -> Models:
    """Return the full-size checkpoint and its naive graph, both made once, and `ours`.

    Args:
        branch: text or audio.
        ours: graphs of the same checkpoint, by precision.
        folder: where checkpoints and naive graphs are kept.
        say: is told what takes longer than a moment.
    """
    sources = {one: full_size(one, folder / "checkpoints", say) for one in get_args(Branch)}
    checkpoints = {one: source.folder for one, source in sources.items()}
    naive = naive_onnx(folder / "naive", checkpoints, say) / f"{branch}.onnx"
    return Models(read(branch, checkpoints[branch]), sources[branch].weights, naive, ours)


def published(branch: Branch, repositories: Sequence[Path]) -> dict[str, Path]:
    """Return the newest graph of each repository, by its precision.

    Raises:
        ExportError: a repository has no exported classifier of that branch.
    """
    found: dict[str, Path] = {}
    for repository in repositories:
        folder = newest(branch, repository)
        found[manifests.read(folder).precision] = folder / "model.onnx"
    return found


def newest(branch: Branch, repository: Path) -> Path:
    """Return the folder of a branch's newest classifier.

    Raises:
        ExportError: there is none.
    """
    model = repository / MODELS[branch][-1]
    numbers = versions(model)
    if not numbers:
        raise ExportError(
            f"{model} holds no version: publish one with neurosense export --repository"
        )
    return model / str(max(numbers))
