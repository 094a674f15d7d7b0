"""Puts a temperature into a published ONNX graph: its last nodes raise to 1/T and normalise.

What `evaluation.temperature` fits, here at the end of the graph, behind the projection. Needs
the package onnx, as exporting does.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import make_node

_OUTPUT = "probabilities"
_RAW, _POWERS, _SUM = "uncalibrated", "calibrated_powers", "calibrated_sum"
_EXPONENT, _AXIS = "inverse_temperature", "calibrated_axis"


def apply(source: Path, temperature: float, target: Path) -> None:
    """Write the graph of `source` with this temperature, instead of one that it has, to `target`.

    Weights outside the graph stay where they are: the files must lie beside both.
    """
    model = onnx.load(source, load_external_data=False)
    graph = model.graph
    if not any(weight.name == _EXPONENT for weight in graph.initializer):
        _append(graph)
    kept = [weight for weight in graph.initializer if weight.name != _EXPONENT]
    exponent = numpy_helper.from_array(np.array(1 / temperature, np.float32), _EXPONENT)
    del graph.initializer[:]
    graph.initializer.extend([*kept, exponent])
    target.write_bytes(model.SerializeToString(deterministic=True))


def _append(graph: onnx.GraphProto) -> None:
    """Put p^(1/T) / Σ p^(1/T) between what makes the output and the output."""
    for node in graph.node:
        node.output[:] = [_RAW if name == _OUTPUT else name for name in node.output]
        node.input[:] = [_RAW if name == _OUTPUT else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), _AXIS))
    graph.node.extend(
        [
            make_node("Pow", [_RAW, _EXPONENT], [_POWERS]),
            make_node("ReduceSum", [_POWERS, _AXIS], [_SUM], keepdims=1),
            make_node("Div", [_POWERS, _SUM], [_OUTPUT]),
        ]
    )
