"""An ONNX graph that takes its weights out of the checkpoint's own model.safetensors.

A checkpoint in float16 is half as large as its float32 graph. Where a weight of the graph
is such a tensor cast to float32, perhaps transposed, the graph gets a reference to the
tensor's bytes and casts it itself; ONNX Runtime does that once, when it loads the model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

_MIN_BYTES = 4096  # below, a reference costs more than it saves
_TYPES: dict[str, tuple[np.dtype[Any], int]] = {
    "F16": (np.dtype("<f2"), onnx.TensorProto.FLOAT16),
    "F32": (np.dtype("<f4"), onnx.TensorProto.FLOAT),
}


@dataclass(frozen=True)
class Stored:
    """A tensor in model.safetensors: `length` bytes from `offset`."""

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int
    transposed: bool = False


def share(model: onnx.ModelProto, safetensors: Path) -> onnx.ModelProto:
    """Replace weights that `safetensors` holds bit for bit by references into it.

    The graph must lie in the same folder as a file of that name to be loaded.
    """
    stored = _by_value(safetensors)
    kept, references, nodes = [], {}, []
    for weight in model.graph.initializer:
        tensor = stored.get(_key(numpy_helper.to_array(weight)))
        if tensor is None:
            kept.append(weight)
            continue
        references[tensor.name] = _reference(tensor, safetensors.name)
        nodes += _restore(tensor, weight.name)
    nodes += list(model.graph.node)
    for field, values in (
        (model.graph.initializer, [*kept, *references.values()]),
        (model.graph.node, nodes),
    ):
        del field[:]
        field.extend(values)
    return model


def _by_value(safetensors: Path) -> dict[bytes, Stored]:
    """Index the file's large tensors, and their transposes, by their float32 value."""
    content = np.memmap(safetensors, dtype=np.uint8, mode="r")
    start = 8 + int(content[:8].view("<u8")[0])
    found = {}
    for name, entry in json.loads(content[8:start].tobytes()).items():
        if name == "__metadata__" or entry["dtype"] not in _TYPES:
            continue
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensor = Stored(name, entry["dtype"], tuple(entry["shape"]), begin, end - begin)
        value = content[begin:end].view(_TYPES[tensor.kind][0]).reshape(tensor.shape)
        if value.ndim == 2:
            flipped = Stored(**{**tensor.__dict__, "transposed": True})
            found[_key(value.T.astype(np.float32))] = flipped
        found[_key(value.astype(np.float32))] = tensor
    found.pop(b"", None)
    return found


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


def _restore(tensor: Stored, name: str) -> list[onnx.NodeProto]:
    """Return the nodes that make the graph's weight `name` of the stored tensor."""
    cast = f"{name}.cast" if tensor.transposed else name
    nodes = [
        onnx.helper.make_node("Cast", [f"stored.{tensor.name}"], [cast], to=onnx.TensorProto.FLOAT)
    ]
    if tensor.transposed:
        nodes.append(onnx.helper.make_node("Transpose", [cast], [name], perm=[1, 0]))
    return nodes
