"""Writes a graph module as one ONNX file."""

import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

from export import embedded, marks, pieces

OPSET = 17
_OUTPUTS = ["probabilities", "coverage"]
_CLOSE = (pieces.close, embedded.close)


def write(graph: Any, input_names: list[str], file: Path, for_cpu: bool = False) -> None:
    """Trace `graph` on two rows of different lengths and write it, weights inside.

    Args:
        graph: the module.
        input_names: of its arguments.
        file: to write.
        for_cpu: whether the graph becomes what a CPU is quicker with (`pieces`, `embedded`).
    """
    axes = {input_names[0]: {0: "values"}}
    axes |= {name: {0: "batch"} for name in [*input_names[1:], *_OUTPUTS]}
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated, and warns of every size that it takes for a
        # constant; the parity gate runs other sizes, so a wrong one does not get through.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|export")
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(
            graph,
            _example(graph, input_names),
            str(file),
            input_names=input_names,
            output_names=_OUTPUTS,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(file, load_external_data=False)
    marked = [close(model, for_cpu) for close in _CLOSE]
    if any(marked):
        marks.forget(model)
        onnx.save(model, file)


def _example(graph: Any, input_names: list[str]) -> tuple[torch.Tensor, ...]:
    """Return two rows: the first fills two thirds of its stride, the second all of it."""
    if input_names[0] == "samples":
        stride = 3 * graph.shortest
        flat = torch.sin(torch.arange(2 * stride, dtype=torch.float32))
    else:
        stride = 6
        flat = torch.full((2 * stride,), 2)
    length = torch.tensor([[2 * stride // 3], [stride]], dtype=torch.int32)
    return flat, length, torch.full((2, 1), stride, dtype=torch.int32)
