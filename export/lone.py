"""Attention over packed rows, and a shorter way for a row that is alone in its batch.

ONNX Runtime on CPUs keeps a row's scores in its cache, instead of all in memory, where nothing is
masked (https://arxiv.org/abs/2205.14135). A row that is alone needs no mask, nor to be unpacked, so
an ONNX If asks how many there are. Graphs for GPUs, which would wait for the question and do the
same with a mask, have the one way for all.

The module marks where attention is; `close` puts operators there.
https://onnx.ai/onnx/operators/onnx__If.html
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from export.marks import DOMAIN, RUNTIME, attribute, marked, replace

_MARK = "PackedAttention"
_FIRST, _ONE, _ALONE = "lone/first_axis", "lone/one", "lone/alone"


class Mark(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """Marks self-attention, and computes it in torch."""

    @staticmethod
    def forward(
        _context: Any,
        projected: torch.Tensor,
        out_of: torch.Tensor,
        into: torch.Tensor,
        counts: torch.Tensor,
        heads: int,
        _width: int,
    ) -> torch.Tensor:
        """Return [N, H] of queries, keys and values [N, 3H] of packed rows (see `Packing`)."""
        split = [
            part.unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in projected[out_of].chunk(3, dim=-1)
        ]
        valid = torch.arange(out_of.shape[1]) < counts.unsqueeze(1)  # [B, L]
        attended = torch.nn.functional.scaled_dot_product_attention(
            *split, attn_mask=valid.unsqueeze(1).unsqueeze(1)
        )
        return attended.transpose(1, 2).flatten(2).flatten(0, 1)[into]

    @staticmethod
    def symbolic(
        g: Any, projected: Any, out_of: Any, into: Any, counts: Any, heads: int, width: int
    ) -> Any:
        """Emit the mark; `width` is H."""
        inputs = projected, out_of, into, counts
        made = g.op(f"{DOMAIN}::{_MARK}", *inputs, heads_i=heads, width_i=width)
        return made.setType(projected.type().with_sizes([None, width]))


def close(model: onnx.ModelProto, apart: bool) -> bool:
    """Replace the marks; return whether there were any.

    Args:
        model: is changed.
        apart: whether a row that is alone goes its own way.
    """
    marks = marked(model.graph, _MARK)
    if not marks:
        return False

    def operators(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
        if not apart:
            return _together(mark)
        return [*(_question(mark) if mark == marks[0] else []), _asked(mark)]

    replace(model.graph, marks, operators)
    model.graph.initializer.extend(_initializers(marks, apart))
    return True


def _initializers(marks: list[onnx.NodeProto], apart: bool) -> list[onnx.TensorProto]:
    values = {_FIRST: np.array([0]), _ONE: np.array([1])} if apart else {}
    values |= {_rows(mark): np.array([-1, attribute(mark, "width").i]) for mark in marks}
    return [numpy_helper.from_array(value, name) for name, value in values.items()]


def _question(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes that tell whether there is one row."""
    counts = mark.input[3]
    return [
        helper.make_node("Shape", [counts], ["lone/batch"]),
        helper.make_node("Equal", ["lone/batch", _ONE], [_ALONE]),
    ]


def _asked(mark: onnx.NodeProto) -> onnx.NodeProto:
    branches = {"then_branch": _lone(mark), "else_branch": _together(mark)}
    bodies = {}
    for name, nodes in branches.items():
        output = f"{mark.output[0]}/{name}"
        nodes[-1].output[0] = output
        info = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        bodies[name] = helper.make_graph(nodes, name, [], [info])
    return helper.make_node("If", [_ALONE], list(mark.output), f"{mark.name}/If", **bodies)


def _lone(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    name = f"{mark.name}/lone"
    return [
        helper.make_node("Unsqueeze", [mark.input[0], _FIRST], [f"{name}/row"]),
        *_attention(mark, name, []),
        helper.make_node("Reshape", [f"{name}/attended", _rows(mark)], list(mark.output)),
    ]


def _together(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes for rows of any number: unpacked, masked and packed again."""
    projected, out_of, into, counts = mark.input
    name = f"{mark.name}/all"
    nodes = [
        helper.make_node("Gather", [projected, out_of], [f"{name}/row"]),
        *_attention(mark, name, ["", counts]),
        helper.make_node("Reshape", [f"{name}/attended", _rows(mark)], [f"{name}/padded"]),
        helper.make_node("Gather", [f"{name}/padded", into], list(mark.output)),
    ]
    for node in nodes:  # fp16 goes by names
        node.name = f"{name}/{node.op_type}/{node.output[0]}"
    return nodes


def _attention(mark: onnx.NodeProto, name: str, mask: list[str]) -> list[onnx.NodeProto]:
    parts = [f"{name}/{part}" for part in ("query", "key", "value")]
    return [
        helper.make_node("Split", [f"{name}/row"], parts, axis=-1),
        helper.make_node(
            "MultiHeadAttention",
            [*parts, *mask],
            [f"{name}/attended"],
            domain=RUNTIME,
            num_heads=attribute(mark, "heads").i,
        ),
    ]


def _rows(mark: onnx.NodeProto) -> str:
    return f"lone/rows_of_{attribute(mark, 'width').i}"
