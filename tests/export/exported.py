"""Exporting in the tests, and the kinds of audio checkpoints that all must work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from export.manifest import Branch, Manifest, Precision
from export.publish import find
from export.run import export_checkpoint

AUDIO_KINDS: dict[str, dict[str, Any]] = {
    "wav2vec2, group norm": {"kind": "wav2vec2"},
    "wav2vec2, as published": {
        "kind": "wav2vec2",
        "use_weighted_layer_sum": True,
        "return_attention_mask": True,
        "gradient_checkpointing": True,
    },
    "wav2vec2, normalised": {"kind": "wav2vec2", "do_normalize": True, "conv_bias": True},
    "wav2vec2, layer norm, stable": {
        "kind": "wav2vec2",
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
        "do_normalize": True,
        "return_attention_mask": True,
        "use_weighted_layer_sum": True,
    },
    "hubert": {"kind": "hubert", "do_normalize": True},
    "hubert, batch norm, no projection norm": {
        "kind": "hubert",
        "conv_pos_batch_norm": True,
        "feat_proj_layer_norm": False,
        "use_weighted_layer_sum": True,
    },
    "wavlm": {"kind": "wavlm", "num_buckets": 32, "max_bucket_distance": 40},
    "wavlm, layer norm, stable": {
        "kind": "wavlm",
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "do_normalize": True,
        "use_weighted_layer_sum": True,
    },
}


@dataclass(frozen=True)
class Exported:
    """A checkpoint's folder, and the version that was made of it."""

    folder: Path
    manifest: Manifest
    file: Path
    session: onnxruntime.InferenceSession


def export(
    branch: Branch,
    folder: Path,
    repository: Path,
    tolerance: float = 1e-4,
    precision: Precision = "fp32",
    gated: bool = True,
) -> Manifest:
    return export_checkpoint(
        branch,
        str(folder),
        None,
        repository,
        weights="local",
        tolerance=tolerance,
        precision=precision,
        gated=gated,
        progress=lambda _: None,
    )


def found(
    repository: Path, branch: Branch, *, name: str, revision: str | None, weights: str
) -> Manifest | None:
    """Return the newest fp32 version of a checkpoint."""
    return find(repository, branch, name=name, revision=revision, weights=weights, requested="fp32")


def graph_file(repository: Path, manifest: Manifest) -> Path:
    return repository / f"{manifest.branch}_classifier" / str(manifest.version) / "model.onnx"


def open_graph(repository: Path, manifest: Manifest) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph_file(repository, manifest))
