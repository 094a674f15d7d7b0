"""A prepared checkpoint to an ONNX file that passed its gates, and its manifest."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from ensemble.labels import EMOTIONS, coverage
from export import onnx_file, parity
from export.errors import ExportError
from export.fp16 import to_fp16
from export.gate import Gate, judge
from export.int8 import ATTEMPTS, Kept, quantize
from export.manifest import Branch, Manifest, Precision
from export.prepared import Prepared
from export.progress import Progress


def build(
    prepared: Prepared,
    file: Path,
    tolerance: float,
    progress: Progress,
    precision: Precision = "fp32",
    gated: bool = True,
) -> Manifest:
    """Write the graph to `file`, pass it through the gates and describe it.

    Args:
        prepared: the checkpoint.
        file: the ONNX file to write.
        tolerance: how far a probability of the float32 graph may be off the checkpoint's.
        progress: is told each stage in a line.
        precision: `auto` falls back to float32 where int8 changes the answers too much.
        gated: false publishes a precision whatever it does to the answers, to measure its speed.

    Raises:
        ExportError: the answers are not what they must be.
    """
    progress("writing the ONNX graph")
    # A GPU would wait for the pieces one after another, and fp16 is for GPUs.
    onnx_file.write(prepared.make_graph(), prepared.input_names, file, for_cpu=precision != "fp16")
    progress(f"comparing ONNX Runtime with PyTorch on {len(prepared.rows)} inputs")
    result = parity.check(file, prepared.rows, tolerance)
    progress(f"largest difference {result.max_abs_diff:.1e}, allowed {tolerance:g}")
    manifest = dataclasses.replace(describe(prepared, result), requested=precision)
    if precision == "fp32":
        return manifest
    if precision == "fp16":
        gate = to_fp16(file, prepared.real_inputs, progress, gated)
        return dataclasses.replace(manifest, precision="fp16", gate=gate.figures())
    try:
        gate = _to_int8(prepared, file, progress, gated)
    except ExportError as error:
        if precision == "int8":
            raise
        progress(f"staying at fp32: {error}")
        return manifest
    return dataclasses.replace(manifest, precision="int8", gate=gate.figures())


def _to_int8(prepared: Prepared, file: Path, progress: Progress, gated: bool) -> Gate:
    """Replace the float32 graph in `file` by the fastest int8 one that passes the gate."""
    candidate, inputs = file.with_name(f".{file.name}"), prepared.real_inputs

    def attempt(kept: Kept) -> Gate:
        write_int8(prepared, candidate, kept)
        progress(f"comparing int8 with fp32 on {len(inputs.judged)} real inputs")
        gate = judge(file, candidate, inputs.judged, inputs.data)
        progress(gate.summary)
        return gate

    try:
        gate = first_to_pass(prepared.checkpoint.branch, attempt, gated)
        if gated and not gate.passed:
            raise gate.refusal("int8")
        candidate.replace(file)
        return gate
    finally:
        candidate.unlink(missing_ok=True)


def first_to_pass(branch: Branch, attempt: Callable[[Kept], Gate], gated: bool = True) -> Gate:
    """Attempt int8, fastest first, until a graph passes; return the last one's gate.

    Args:
        branch: whose graph it is.
        attempt: writes the graph and judges it.
        gated: false stops at the first, whatever it does to the answers.
    """
    for kept in ATTEMPTS[branch]:
        gate = attempt(kept)
        if gate.passed or not gated:
            break
    return gate


def write_int8(prepared: Prepared, file: Path, kept: Kept) -> None:
    """Write the int8 graph, with scales from real inputs and the parity gate's."""
    graph = prepared.make_graph()
    # Tones, noise, silence and random tokens as well: real users send more than is shipped.
    rows = [*prepared.real_inputs.calibration, *(row.values for row in prepared.rows)]
    quantize(graph, lambda module: _run(module, rows), kept)
    onnx_file.write(graph, prepared.input_names, file, for_cpu=True)


def _run(graph: Any, rows: Sequence[npt.NDArray[Any]]) -> None:
    for row in rows:
        width = torch.tensor([[len(row)]], dtype=torch.int32)
        graph(torch.from_numpy(row), width, width)


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
