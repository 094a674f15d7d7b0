"""An ONNX graph that takes its weights out of the checkpoint's own model.safetensors.

A checkpoint in float16 is half as large as its float32 graph. Where a weight of the graph is
made of such tensors, cast to float32 and perhaps laid out anew or joined, the graph gets
references to their bytes and makes it itself; ONNX Runtime does that once, when it loads
the model.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnx.helper import make_node

_MIN_BYTES = 4096  # below, a reference costs more than it saves
_TYPES: dict[str, tuple[np.dtype[Any], int]] = {
    "F16": (np.dtype("<f2"), onnx.TensorProto.FLOAT16),
    "F32": (np.dtype("<f4"), onnx.TensorProto.FLOAT),
}
_JOINED = (1, 3, 2)  # query, key and value are one product; the last layer joins two
_Layout = tuple[tuple[str, dict[str, Any]], ...]  # ONNX operators and their attributes


@dataclass(frozen=True)
class Stored:
    """A tensor in model.safetensors: `length` bytes from `offset`, and its way into a graph."""

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int
    layout: _Layout = ()


def share(model: onnx.ModelProto, safetensors: Path) -> onnx.ModelProto:
    """Replace weights that `safetensors` holds bit for bit by references into it.

    The graph must lie in the same folder as a file of that name to be loaded.
    """
    stored = _by_value(safetensors)
    kept: list[onnx.TensorProto] = []
    references: dict[str, onnx.TensorProto] = {}
    nodes: list[onnx.NodeProto] = []
    for weight in model.graph.initializer:
        parts = _parts(numpy_helper.to_array(weight), stored)
        if not parts:
            kept.append(weight)
            continue
        references |= {part.name: _reference(part, safetensors.name) for part in parts}
        nodes += _restore(parts, weight.name)
    nodes += list(model.graph.node)
    for field, values in (
        (model.graph.initializer, [*kept, *references.values()]),
        (model.graph.node, nodes),
    ):
        del field[:]
        field.extend(values)
    return model


def _parts(value: npt.NDArray[Any], stored: dict[bytes, Stored]) -> list[Stored]:
    """Return the tensors that one below the other are `value`, or nothing."""
    for count in _JOINED if value.ndim == 2 else (1,):
        if value.ndim and value.shape[0] % count == 0:
            keys = [_key(part) for part in np.split(value, count)]
            if all(key in stored for key in keys):
                return [stored[key] for key in keys]
    return []


def _by_value(safetensors: Path) -> dict[bytes, Stored]:
    """Index the file's large tensors, as they are and laid out anew, by their float32 value."""
    content = np.memmap(safetensors, dtype=np.uint8, mode="r")
    start = 8 + int(content[:8].view("<u8")[0])
    found = {}
    for name, entry in json.loads(content[8:start].tobytes()).items():
        if name == "__metadata__" or entry["dtype"] not in _TYPES:
            continue
        begin, end = (start + offset for offset in entry["data_offsets"])
        kind, shape = entry["dtype"], tuple(entry["shape"])
        value = content[begin:end].view(_TYPES[kind][0]).reshape(shape).astype(np.float32)
        for layout, laid_out in _layouts(value):
            found[_key(laid_out)] = Stored(name, kind, shape, begin, end - begin, layout)
    found.pop(b"", None)
    return found


def _layouts(value: npt.NDArray[np.float32]) -> Iterator[tuple[_Layout, npt.NDArray[np.float32]]]:
    """Yield the layouts that a graph may want a tensor in, the plainest last: it counts."""
    if value.ndim == 3:  # a convolution's [C, D, K], for windows [K * D]
        flat = value.transpose(0, 2, 1).reshape(value.shape[0], -1)
        yield (("Transpose", {"perm": [0, 2, 1]}), ("Flatten", {"axis": 1})), flat
    if value.ndim == 2:
        yield (("Transpose", {"perm": [1, 0]}),), value.T
    yield (), value


def _key(value: npt.NDArray[np.generic]) -> bytes:
    """Return what is equal only for equal arrays, empty for those not worth a reference."""
    if value.dtype != np.float32 or value.nbytes < _MIN_BYTES:
        return b""
    return repr(value.shape).encode() + np.ascontiguousarray(value).tobytes()


def _reference(tensor: Stored, location: str) -> onnx.TensorProto:
    reference = onnx.TensorProto(
        name=f"stored.{tensor.name}", dims=tensor.shape, data_type=_TYPES[tensor.kind][1]
    )
    reference.data_location = onnx.TensorProto.EXTERNAL
    entries = {"location": location, "offset": tensor.offset, "length": tensor.length}
    for key, value in entries.items():
        reference.external_data.add(key=key, value=str(value))
    return reference


def _restore(parts: list[Stored], name: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that make the graph's weight `name` of the stored tensors."""
    made = [name] if len(parts) == 1 else [f"{name}.{number}" for number in range(len(parts))]
    for part, target in zip(parts, made, strict=True):
        steps = [("Cast", {"to": onnx.TensorProto.FLOAT}), *part.layout]
        names = [f"stored.{part.name}", *(f"{target}.{i}" for i in range(len(steps) - 1)), target]
        for number, (operator, attributes) in enumerate(steps):
            yield make_node(operator, [names[number]], [names[number + 1]], **attributes)
    if len(parts) > 1:
        yield make_node("Concat", made, [name], axis=0)
