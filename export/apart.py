"""Attention over packed clips, on CPUs each by itself.

ONNX Runtime on CPUs keeps a clip's scores in its cache, instead of all in memory, where nothing is
masked (https://arxiv.org/abs/2205.14135). So there a Loop takes clip after clip: without work on
padding, and with the same bits whoever else is in the batch. On GPUs all clips go at once, padded.

The module marks where attention is; `close` puts operators there.
https://onnx.ai/onnx/operators/onnx__Loop.html
"""

from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from export.marks import DOMAIN, RUNTIME, attribute, marked, replace

_MARK = "PackedAttention"
_STEM = "apart"
_AXIS, _ENDS, _CLIPS, _GO_ON, _NONE, _ROWS = (
    f"{_STEM}/{name}" for name in ("axis", "ends", "clips", "go_on", "none", "rows")
)


class Mark(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """Marks self-attention, and computes it in torch."""

    @staticmethod
    def forward(_context: Any, projected: torch.Tensor, *layout: Any) -> torch.Tensor:
        """Return [N, H] of queries, keys and values [N, 3H].

        Args:
            projected: of packed clips.
            layout: `out_of` [B, L], `into` [N], `start` and `counts` [B] of their `Packing`; the
                number of heads; H.
        """
        out_of, into, _, counts, heads, _ = layout
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
    def symbolic(g: Any, projected: Any, *layout: Any) -> Any:
        """Emit the mark."""
        *tensors, heads, width = layout
        made = g.op(f"{DOMAIN}::{_MARK}", projected, *tensors, heads_i=heads, width_i=width)
        return made.setType(projected.type().with_sizes([None, width]))


def close(model: onnx.ModelProto, apart: bool) -> bool:
    """Replace the marks; return whether there were any.

    Args:
        model: is changed.
        apart: whether clips attend one after another.
    """
    marks = marked(model.graph, _MARK)
    if not marks:
        return False

    def operators(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
        if not apart:
            return _together(mark)
        return [*(_bounds(mark) if mark == marks[0] else []), _loop(mark)]

    replace(model.graph, marks, operators)
    model.graph.initializer.extend(_initializers(marks[0], apart))
    return True


def _initializers(mark: onnx.NodeProto, apart: bool) -> list[onnx.TensorProto]:
    width = attribute(mark, "width").i
    values = {_ROWS: np.array([-1, width])}
    if apart:
        values |= {
            _AXIS: np.array([0]),
            _GO_ON: np.array(True),
            _NONE: np.zeros((0, width), np.float32),
        }
    return [numpy_helper.from_array(value, name) for name, value in values.items()]


def _bounds(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes that tell where clips end, and how many there are."""
    *_, start, counts = mark.input
    return [
        helper.make_node("Add", [start, counts], [_ENDS]),
        helper.make_node("Size", [counts], [_CLIPS]),
    ]


def _loop(mark: onnx.NodeProto) -> onnx.NodeProto:
    """Return the loop over clips: its frames, what they attend to, behind those of the others."""
    projected, _, _, start, _ = mark.input
    name = f"{mark.name}/clip"
    inner = ("number", "place", "begin", "end", "clip", "row", "frames")
    number, place, begin, end, clip, row, frames = (f"{name}/{part}" for part in inner)
    carried = ("before", "after", "go_on", "goes_on")
    before, after, go_on, goes_on = (f"{name}/{part}" for part in carried)
    nodes = [
        helper.make_node("Unsqueeze", [number, _AXIS], [place]),
        helper.make_node("Gather", [start, place], [begin]),
        helper.make_node("Gather", [_ENDS, place], [end]),
        helper.make_node("Slice", [projected, begin, end, _AXIS], [clip]),
        helper.make_node("Unsqueeze", [clip, _AXIS], [row]),
        *_attention(mark, row, []),
        helper.make_node("Reshape", [f"{row}/attended", _ROWS], [frames]),
        helper.make_node("Concat", [before, frames], [after], axis=0),
        helper.make_node("Identity", [go_on], [goes_on]),
    ]
    floats, whole, truth = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    value = helper.make_tensor_value_info
    given = [value(number, whole, []), value(go_on, truth, []), value(before, floats, [None, None])]
    made = [value(goes_on, truth, []), value(after, floats, [None, None])]
    body = helper.make_graph(nodes, "clip", given, made)
    return helper.make_node("Loop", [_CLIPS, _GO_ON, _NONE], list(mark.output), name, body=body)


def _together(mark: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes for clips of any number: unpacked, masked and packed again."""
    projected, out_of, into, _, counts = mark.input
    row, lengths, padded = (f"{mark.name}/{part}" for part in ("row", "lengths", "padded"))
    nodes = [
        helper.make_node("Gather", [projected, out_of], [row]),
        helper.make_node("Cast", [counts], [lengths], to=onnx.TensorProto.INT32),
        *_attention(mark, row, ["", lengths]),
        helper.make_node("Reshape", [f"{row}/attended", _ROWS], [padded]),
        helper.make_node("Gather", [padded, into], list(mark.output)),
    ]
    for node in nodes:  # fp16 goes by names
        node.name = f"{mark.name}/{node.output[0]}"
    return nodes


def _attention(mark: onnx.NodeProto, row: str, mask: list[str]) -> list[onnx.NodeProto]:
    parts = [f"{row}/{part}" for part in ("query", "key", "value")]
    heads = attribute(mark, "heads").i
    names = {"domain": RUNTIME, "num_heads": heads}
    return [
        helper.make_node("Split", [row], parts, axis=-1),
        helper.make_node("MultiHeadAttention", [*parts, *mask], [f"{row}/attended"], **names),
    ]
