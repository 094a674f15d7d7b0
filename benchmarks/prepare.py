"""What is measured, made once before anything is timed: checkpoints, graphs, versions."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks import fingerprints
from benchmarks.peers.naive_onnx import naive_onnx
from benchmarks.peers.runner import Weights
from benchmarks.sources import newest
from benchmarks.weights import Checkpoint, full_size
from export import manifest as manifests
from export.manifest import Branch, Manifest, Precision
from export.progress import Progress
from export.run import export_checkpoint, origin

PLAIN, BEST = "fp32", "best"
"""The two repositories: fp32 throughout, and the best precision that may be served."""
_STAMP = "made-from"


@dataclass(frozen=True)
class Prepared:
    """Everything that the stages measure."""

    work: Path
    """Keeps all of it, and what the stages keep."""
    checkpoints: Mapping[Branch, Checkpoint]
    naive: Path
    """The folder of the naive graphs."""
    precisions: Mapping[str, Precision]
    """What each repository was asked for, by PLAIN and BEST."""

    def state(self, name: str) -> Path:
        """Return the state folder (NEUROSENSE_STATE_DIR) of a repository."""
        return self.work / f"served-{name}"

    def repository(self, name: str) -> Path:
        """Return a model repository, by PLAIN or BEST."""
        return self.state(name) / "model_repository"

    def peers_weights(self) -> Weights:
        """Return what the peers serve."""
        folders = {branch: one.folder for branch, one in self.checkpoints.items()}
        return Weights(folders, self.naive)

    def manifests(self, name: str) -> dict[Branch, Manifest]:
        """Return what is published in a repository."""
        return {b: manifests.read(newest(b, self.repository(name))) for b in get_args(Branch)}

    def digests(self) -> dict[str, str]:
        """Return what tells these weights from others."""
        return {
            f"{name} {file}": sha256
            for name in self.precisions
            for manifest in self.manifests(name).values()
            for file, sha256 in manifest.files.items()
        }

    def facts(self) -> dict[str, str]:
        """Return what the report says of the weights."""
        published = self.manifests(BEST)
        weights = {f"{b} weights": one.weights for b, one in self.checkpoints.items()}
        served = ", ".join(f"{b} {one.precision}" for b, one in published.items())
        return {**weights, "served precision": served}


def prepare(work: Path, say: Progress, precision: Precision | None = None) -> Prepared:
    """Make what is missing, in minutes; a second call takes a second.

    `precision` is of the second repository; without it, the best that may be served on a CPU.

    Raises:
        ExportError: a checkpoint cannot be exported.
    """
    checkpoints = {b: full_size(b, work / "checkpoints", say) for b in get_args(Branch)}
    folders = {branch: one.folder for branch, one in checkpoints.items()}
    naive = naive_onnx(work / "naive", folders, say)
    # Random weights decide on noise, so that int8 need not agree with fp32 on a label: its
    # speed is measured all the same. Of the published weights, what passes the gate is served.
    random = any(one.random for one in checkpoints.values())
    best: Precision = precision or ("int8" if random else "auto")
    prepared = Prepared(work, checkpoints, naive, {PLAIN: "fp32", BEST: best})
    for name in prepared.precisions:
        _publish(prepared, name, say)
    return prepared


def _publish(prepared: Prepared, name: str, say: Progress) -> None:
    """Publish both checkpoints, again if they or the code that exports them have changed."""
    stamp = prepared.state(name) / _STAMP
    made_from = _made_from(prepared, name)
    if stamp.exists() and stamp.read_text() == made_from:
        return
    shutil.rmtree(prepared.state(name), ignore_errors=True)
    for branch, checkpoint in prepared.checkpoints.items():
        say(f"{branch}: publishing it at {prepared.precisions[name]} (once) ...")
        export_checkpoint(
            branch,
            str(checkpoint.folder),
            None,
            prepared.repository(name),
            weights="local",
            precision=prepared.precisions[name],
            gated=not checkpoint.random,
            progress=lambda line: say(f"  {line}"),
        )
    stamp.write_text(made_from)


def _made_from(prepared: Prepared, name: str) -> str:
    revisions = {
        branch: origin("", one.folder, "local")[1] for branch, one in prepared.checkpoints.items()
    }
    code, precision = fingerprints.of_code(["export"]), prepared.precisions[name]
    return fingerprints.digest({"code": code, "weights": revisions, "precision": precision})
