"""float16: half the bytes of every weight, and products for a GPU's matrix units.

ONNX Runtime's own converter rewrites the finished float32 graph. Inputs and outputs stay
float32, and with them what float16's 11 bits and largest value of 65,504 would spoil:

- what the graph does around the network: normalising samples, softmax, the means over a clip's
  frames, the projection onto the emotions, the temperature;
- an audio model's first layer up to its activation: sums over all samples of a clip, for the
  statistics of its norm. It has a hundredth of the work.

Layer norms and attention take float16, and sum in float32 on CUDA.
https://onnxruntime.ai/docs/performance/model-optimizations/float16.html
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.gate import Gate, judge
from export.prepared import RealInputs
from export.progress import Progress

_FIRST_LAYER = "/convolutions/first/"
_ACTIVATION = "/activation/"
_LOADED = 4  # inputs that show that the published file itself runs


def to_fp16(file: Path, inputs: RealInputs, progress: Progress, gated: bool = True) -> Gate:
    """Replace the float32 graph in `file` by a float16 one that passes the gate.

    Raises:
        ExportError: it changes the answers too much; the file is as it was.
    """
    candidate, rounded = file.with_name(f".{file.name}"), file.with_name(f".rounded.{file.name}")
    try:
        progress("converting the graph to fp16")
        write_fp16(file, candidate)
        write_rounded(file, rounded)
        progress(f"comparing fp16 with fp32 on {len(inputs.judged)} real inputs")
        gate = judge(file, rounded, inputs.judged, inputs.data)
        progress(gate.summary)
        itself = judge(file, candidate, inputs.judged[:_LOADED], inputs.data)
        if gated and not (gate.passed and itself.passed):
            raise (itself if gate.passed else gate).refusal("fp16")
        candidate.replace(file)
        return gate
    finally:
        candidate.unlink(missing_ok=True)
        rounded.unlink(missing_ok=True)


def write_fp16(source: Path, target: Path) -> None:
    """Write the float16 graph of a float32 one to `target`.

    Weights outside the graph stay where they are: the files must lie beside both.
    """
    _write(source, target, _stays)


def write_rounded(source: Path, target: Path) -> None:
    """Write a float32 graph that rounds to float16 whatever the float16 graph holds in it.

    A CPU has kernels of float32 only and hands values on between them unrounded, so there the
    float16 graph does not show what a GPU answers, nor that a value is too large.
    """
    _write(source, target, lambda _: True, force_fp16_initializers=True)


def _write(source: Path, target: Path, blocked: Callable[[str], bool], **options: Any) -> None:
    model = onnx.load(source, load_external_data=False)
    names = [node.name for node in model.graph.node if blocked(node.name)]
    model = convert_float_to_float16(model, keep_io_types=True, node_block_list=names, **options)
    drop_repeated(model.graph)
    _join_casts(model.graph)
    OnnxModel(model).topological_sort()
    target.write_bytes(model.SerializeToString(deterministic=True))


def _stays(name: str) -> bool:
    """Tell whether a node stays float32, by the module that it was traced in."""
    outside = name.count("/") < 2  # without a name: the temperature, and where weights are read
    return outside or (name.startswith(_FIRST_LAYER) and _ACTIVATION not in name)


def drop_repeated(graph: onnx.GraphProto) -> None:
    """Cast each value once: up to ONNX Runtime 1.31 the converter does so for every reader of it.

    The copies have the same name and the same output, which makes the graph invalid.
    """
    first = {node.name: at for at, node in reversed(list(enumerate(graph.node)))}
    for at in reversed(range(len(graph.node))):
        if _inserted(name := graph.node[at].name) and first[name] != at:
            del graph.node[at]


def _join_casts(graph: onnx.GraphProto) -> None:
    """Hand values from one node that stays float32 to the next as they are.

    The converter casts them to float16 behind each such node, and back before the next.
    """
    exact = {name for node in graph.node if _stays(node.name) for name in node.output}
    exact |= {value.name for value in graph.input}
    casts = [node for node in graph.node if node.op_type == "Cast" and _inserted(node.name)]
    source = {node.output[0]: node.input[0] for node in casts if node.input[0] in exact}
    for node in casts:
        node.input[0] = source.get(node.input[0], node.input[0])


def _inserted(name: str) -> bool:
    return name.endswith("_node") or name.startswith(("graph_input_cast", "graph_output_cast"))
