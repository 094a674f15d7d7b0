"""Nodes that a module leaves in its traced graph for what torch cannot say: loops, branches."""

from collections.abc import Callable

import onnx

DOMAIN = "neurosense"
RUNTIME = "com.microsoft"
"""https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md"""


def marked(graph: onnx.GraphProto, kind: str) -> list[onnx.NodeProto]:
    """Return the marks of this kind."""
    return [node for node in graph.node if node.domain == DOMAIN and node.op_type == kind]


def replace(
    graph: onnx.GraphProto,
    marks: list[onnx.NodeProto],
    operators: Callable[[onnx.NodeProto], list[onnx.NodeProto]],
) -> None:
    """Put each mark's operators in its place."""
    nodes = []
    for node in graph.node:
        nodes += operators(node) if node in marks else [node]
    del graph.node[:]
    graph.node.extend(nodes)


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    """Return what a node was given by this name."""
    return next(attribute for attribute in node.attribute if attribute.name == name)


def forget(model: onnx.ModelProto) -> None:
    """Drop the domain of the marks, once all are replaced, for that of ONNX Runtime's operators."""
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    opsets.pop(DOMAIN, None)
    opsets.setdefault(RUNTIME, 1)
    del model.opset_import[:]
    for domain, version in opsets.items():
        model.opset_import.add(domain=domain, version=version)
