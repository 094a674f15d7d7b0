"""A prepared checkpoint to an ONNX file that passed the gate, and its manifest."""

import dataclasses
from pathlib import Path

from ensemble.labels import EMOTIONS, coverage
from export import onnx_file, parity
from export.hub_progress import Progress
from export.manifest import Manifest
from export.prepared import Prepared


def build(prepared: Prepared, file: Path, tolerance: float, progress: Progress) -> Manifest:
    """Write the graph to `file`, pass it through the gate and describe it.

    Raises:
        ExportError: it differs from the checkpoint by more than `tolerance`.
    """
    progress("writing the ONNX graph")
    onnx_file.write(prepared.make_graph(), prepared.input_names, file)
    progress(f"comparing ONNX Runtime with PyTorch on {len(prepared.rows)} inputs")
    result = parity.check(file, prepared.rows, tolerance)
    progress(f"largest difference {result.max_abs_diff:.1e}, allowed {tolerance:g}")
    return describe(prepared, result)


def describe(prepared: Prepared, result: parity.Parity) -> Manifest:
    """Return the manifest of a graph that passed, without origin and files."""
    checkpoint = prepared.checkpoint
    covered = coverage(checkpoint.labels)
    return Manifest(
        branch=checkpoint.branch,
        name=checkpoint.folder.name,
        revision=None,
        weights="local",
        labels={str(number): label for number, label in checkpoint.labels.items()},
        coverage=[e for e, has in zip(EMOTIONS, covered, strict=True) if has],
        precision="fp32",
        opset=onnx_file.OPSET,
        parity=dataclasses.asdict(result),
        files={},
        max_tokens=prepared.limits.max_tokens,
        pad_id=prepared.limits.pad_id,
        sample_rate_hz=prepared.limits.sample_rate_hz,
        min_samples=prepared.limits.min_samples,
    )
