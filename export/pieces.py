"""An audio graph's convolutions over half a second at a time, in an ONNX Loop.

The first convolutions make a hundred times as many numbers as a clip has samples. In pieces
these stay in a processor's cache, and no longer take more memory for a longer clip. Every frame
is made of the same windows as before, so the answers are the same.

The module marks where the convolutions begin and end; `close` makes a loop of what lies between.
https://onnx.ai/onnx/operators/onnx__Loop.html
"""

from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from export.marks import DOMAIN, attribute

FRAMES = 25  # a piece, at 20 ms each; 5 and 10 are slower, 50 no faster (benchmarks/README.md)


class Begin(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """Marks the windows [F, K] that the first convolution's product takes."""

    @staticmethod
    def forward(_context: Any, windows: torch.Tensor, _hop: int, _reach: int) -> torch.Tensor:
        """Return them; one frame at the end is made of `reach` windows, the next `hop` later."""
        return windows.view_as(windows)

    @staticmethod
    def symbolic(g: Any, windows: Any, hop: int, reach: int) -> Any:
        """Emit the mark."""
        made = g.op(f"{DOMAIN}::Begin", windows, hop_i=hop, reach_i=reach)
        return made.setType(windows.type())


class End(torch.autograd.Function):  # type: ignore[misc]
    """Marks the frames [F', C] that the last convolution makes."""

    @staticmethod
    def forward(_context: Any, frames: torch.Tensor, _channels: int) -> torch.Tensor:
        """Return them."""
        return frames.view_as(frames)

    @staticmethod
    def symbolic(g: Any, frames: Any, channels: int) -> Any:
        """Emit the mark."""
        made = g.op(f"{DOMAIN}::End", frames, channels_i=channels)
        return made.setType(frames.type())


def close(model: onnx.ModelProto, in_pieces: bool) -> bool:
    """Replace the marks by a loop, or by nothing; return whether there were any."""
    graph = model.graph
    marks = {node.op_type: node for node in graph.node if node.domain == DOMAIN}
    if "Begin" not in marks:
        return False
    nodes = (_looped if in_pieces else _without)(graph, marks["Begin"], marks["End"])
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _without(
    graph: onnx.GraphProto, begin: onnx.NodeProto, end: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return the nodes, with what the marks take in place of what they give."""
    kept = [node for node in graph.node if node not in (begin, end)]
    _rename(kept, {mark.output[0]: mark.input[0] for mark in (begin, end)})
    return kept


def _looped(
    graph: onnx.GraphProto, begin: onnx.NodeProto, end: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return the nodes with those between the marks as a loop's body."""
    inside = _between(graph, begin, end)
    outside = [node for node in graph.node if node not in inside and node != begin]
    count, body = _count(begin), _body(graph, inside, begin, end)
    graph.initializer.extend(_initializers(begin, end))
    start = ["pieces/count", "pieces/go_on", "pieces/none"]
    loop = helper.make_node("Loop", start, [end.output[0]], body=body)
    where = outside.index(end)
    return [*outside[:where], *count, loop, *outside[where + 1 :]]


def _initializers(begin: onnx.NodeProto, end: onnx.NodeProto) -> list[onnx.TensorProto]:
    hop, reach = attribute(begin, "hop").i, attribute(begin, "reach").i
    values = {
        "pieces/axis": np.array([0]),
        "pieces/reach": np.array([reach]),
        "pieces/step": np.array([FRAMES * hop]),
        "pieces/length": np.array([(FRAMES - 1) * hop + reach]),
        "pieces/one": np.array([1]),
        "pieces/go_on": np.array(True),
        "pieces/none": np.zeros((0, attribute(end, "channels").i), np.float32),
    }
    return [numpy_helper.from_array(value, name) for name, value in values.items()]


def _count(begin: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes that tell how many pieces there are."""
    return [
        helper.make_node("Shape", [begin.input[0]], ["pieces/windows"], start=0, end=1),
        helper.make_node("Sub", ["pieces/windows", "pieces/reach"], ["pieces/last"]),
        helper.make_node("Div", ["pieces/last", "pieces/step"], ["pieces/before"]),
        helper.make_node("Add", ["pieces/before", "pieces/one"], ["pieces/count"]),
    ]


def _body(
    graph: onnx.GraphProto,
    inside: list[onnx.NodeProto],
    begin: onnx.NodeProto,
    end: onnx.NodeProto,
) -> onnx.GraphProto:
    """Return what is done for each piece: its windows, its frames, and those behind the others."""
    # The exporter gives weights that are equal one value and several names.
    names = [node for node in graph.node if node.op_type == "Identity" and node not in inside]
    _rename(inside, {node.output[0]: node.input[0] for node in names})
    piece = [begin.input[0], "piece/start", "piece/stop", "pieces/axis"]
    nodes = [
        helper.make_node("Mul", ["piece/number", "pieces/step"], ["piece/start"]),
        helper.make_node("Add", ["piece/start", "pieces/length"], ["piece/stop"]),
        # A slice ends where the windows do, so the last piece is as long as it happens to be.
        helper.make_node("Slice", piece, [begin.output[0]]),
        *inside,
        helper.make_node("Concat", ["piece/before", end.input[0]], ["piece/frames"], axis=0),
        helper.make_node("Identity", ["piece/go_on"], ["piece/goes_on"]),
    ]
    number = helper.make_tensor_value_info("piece/number", onnx.TensorProto.INT64, [])
    go_on, goes_on = (
        helper.make_tensor_value_info(name, onnx.TensorProto.BOOL, [])
        for name in ("piece/go_on", "piece/goes_on")
    )
    before, frames = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, None])
        for name in ("piece/before", "piece/frames")
    )
    return helper.make_graph(nodes, "piece", [number, go_on, before], [goes_on, frames])


def _between(
    graph: onnx.GraphProto, begin: onnx.NodeProto, end: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return the nodes between the marks: all that depend on the first, up to the second."""
    reached, inside = set(begin.output), []
    for node in graph.node:
        if node == end:
            break
        if reached.intersection(node.input):
            reached.update(node.output)
            inside.append(node)
    return inside


def _rename(nodes: list[onnx.NodeProto], names: dict[str, str]) -> None:
    for node in nodes:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                field[place] = names.get(name, name)
