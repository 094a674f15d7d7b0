"""A text model's embeddings: rows of three tables, added up and normed.

On CPUs one operator does all of it, where five wake a second thread five times. On GPUs that one
would take the norm's sums in float16, so there it is five.

The module marks where embeddings are; `close` puts operators there.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from export.marks import DOMAIN, RUNTIME, attribute, marked, replace

_MARK = "Embedded"
_FIRST = "embedded/first_axis"


class Mark(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """Marks embeddings, and computes them in torch."""

    @staticmethod
    def forward(_context: Any, *inputs: Any) -> torch.Tensor:
        """Return [N, H].

        Args:
            inputs: word ids and positions [N]; tables of words, positions and token types, of which
                the first is everybody's; the norm's weight, bias [H] and epsilon.
        """
        ids, positions, words, places, types, weight, bias, epsilon = inputs
        added = words[ids] + types[0] + places[positions]
        return torch.nn.functional.layer_norm(added, weight.shape, weight, bias, epsilon)

    @staticmethod
    def symbolic(g: Any, *inputs: Any) -> Any:
        """Emit the mark."""
        *tensors, bias, epsilon = inputs
        made = g.op(f"{DOMAIN}::{_MARK}", *tensors, bias, epsilon_f=epsilon)
        return made.setType(bias.type().with_sizes([None, *bias.type().sizes()]))


def close(model: onnx.ModelProto, at_once: bool) -> bool:
    """Replace the marks by one operator each, or by five; return whether there were any."""
    marks = marked(model.graph, _MARK)
    if not marks:
        return False
    replace(model.graph, marks, _one if at_once else _five)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), _FIRST))
    return True


def _one(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the operator, and what it wants: rows of one length, in 32 bits, with their types."""
    ids, positions, words, places, types, weight, bias = mark.input
    nodes = []
    for given, wanted in ((ids, f"{mark.name}/ids"), (positions, f"{mark.name}/positions")):
        nodes += [
            helper.make_node("Cast", [given], [f"{wanted}/32"], to=onnx.TensorProto.INT32),
            helper.make_node("Unsqueeze", [f"{wanted}/32", _FIRST], [wanted]),
        ]
    ids, positions, first_type, added = (
        f"{mark.name}/{name}" for name in ("ids", "positions", "first_type", "row")
    )
    tables = [words, places, types, weight, bias]
    return [
        *nodes,
        helper.make_node("Sub", [ids, ids], [first_type]),
        helper.make_node(
            "EmbedLayerNormalization",
            [ids, first_type, *tables, "", positions],
            [added, ""],
            domain=RUNTIME,
            epsilon=attribute(mark, "epsilon").f,
        ),
        helper.make_node("Squeeze", [added, _FIRST], list(mark.output)),
    ]


def _five(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    ids, positions, words, places, types, weight, bias = mark.input
    names = ("word", "place", "type", "typed", "added")
    word, place, type_, typed, added = (f"{mark.name}/{name}" for name in names)
    nodes = [
        helper.make_node("Gather", [words, ids], [word]),
        helper.make_node("Gather", [types, _FIRST], [type_]),
        helper.make_node("Add", [word, type_], [typed]),
        helper.make_node("Gather", [places, positions], [place]),
        helper.make_node("Add", [typed, place], [added]),
        helper.make_node(
            "LayerNormalization",
            [added, weight, bias],
            list(mark.output),
            epsilon=attribute(mark, "epsilon").f,
        ),
    ]
    for node in nodes:  # fp16 goes by names
        node.name = f"{mark.name}/{node.output[0]}"
    return nodes
