"""The encoder of Moonshine tiny, a recogniser of English speech: the audio starter's teacher.

Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands" (2024).
The package moonshine-voice carries it (MIT licence), quantized, as an ONNX Runtime flatbuffer.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import (
    InferenceSession,
)
from transformers import MoonshineConfig
from transformers.models.moonshine.modeling_moonshine import MoonshineEncoder

PACKAGE = "moonshine-voice==0.1.0"  # the last that carries the model
WIDTH, HEADS, INNER = 288, 8, 1152
WINDOW, HOP = 895, 384  # samples that a frame is made from, and between two of them

_FILE = "assets/tiny-en/encoder_model.ort"
_LAYERS = 6
_LEVEL = 0.06  # root mean square that clips are given; the first layer is a tanh
_ELEMENTS = {1: np.float32, 2: np.uint8}  # by onnx.TensorProto.DataType
_RENAMED = {
    "conv1.weight": "conv1.weight_add_tensor",
    "conv2.weight": "conv2.weight_add_tensor",
    "conv3.weight": "conv3.weight_add_tensor",
    "groupnorm.weight": "onnx::Mul_2080",
    "groupnorm.bias": "onnx::Add_2081",
}


def load() -> Any:
    """The encoder in float32, with the values of the quantized weights.

    Raises:
        SystemExit: the package is not installed, or is another version, without the model.
    """
    found = importlib.util.find_spec("moonshine_voice")
    file = Path(found.origin or "").parent / _FILE if found else None
    if file is None or not file.is_file():
        raise SystemExit(f"The teacher is missing. Do: pip install --no-deps {PACKAGE}")
    config = MoonshineConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        encoder_num_hidden_layers=_LAYERS,
        encoder_num_attention_heads=HEADS,
        encoder_num_key_value_heads=HEADS,
        attn_implementation="sdpa",
    )
    encoder = MoonshineEncoder(config)
    stored = dict(_tensors(file))
    weights = encoder.state_dict()
    encoder.load_state_dict(
        {
            name: torch.from_numpy(stored[_stored_name(name)]).reshape(weight.shape)
            for name, weight in weights.items()
        }
    )
    return encoder.eval()


def states(encoder: Any, samples: Any, layers: int) -> Any:
    """What the encoder makes of a normalised clip [n]: [1 + layers, frames, WIDTH].

    The convolutions' output, then that of each layer.
    """
    with torch.no_grad():
        out = encoder(samples[None] * _LEVEL, output_hidden_states=True)
    return torch.cat(out.hidden_states[: 1 + layers])


def _stored_name(name: str) -> str:
    """What a weight of MoonshineEncoder is called by _tensors."""
    linear = re.fullmatch(r"layers\.(\d)\.(self_attn|mlp)\.(\w+)\.weight", name)
    if linear:
        return f"/layers.{linear[1]}/{linear[2]}/{linear[3]}/MatMul_quant"
    return _RENAMED.get(name, name)


def _tensors(file: Path) -> Iterator[tuple[str, Any]]:
    """Float arrays by name; a quantized matrix [out, in] by the name of the node it is for."""
    content = bytearray(file.read_bytes())
    graph = InferenceSession.GetRootAsInferenceSession(content, 0).Model().Graph()
    stored = {}
    for number in range(graph.InitializersLength()):
        one = graph.Initializers(number)
        if one.DataType() in _ELEMENTS:
            raw = np.asarray(one.RawDataAsNumpy())
            values = raw.view(_ELEMENTS[one.DataType()]).astype(np.float32)
            shape = [one.Dims(axis) for axis in range(one.DimsLength())]
            stored[one.Name().decode()] = values.reshape(shape)
    yield from stored.items()
    for number in range(graph.NodesLength()):
        node = graph.Nodes(number)
        inputs = [node.Inputs(place).decode() for place in range(node.InputsLength())]
        for name in inputs:
            base = name.removesuffix("_quantized")
            if name != base and name in stored:
                matrix = (stored[name] - stored[f"{base}_zero_point"]) * stored[f"{base}_scale"]
                yield node.Name().decode(), np.ascontiguousarray(matrix.T)
