"""The channels-last operators of the qonnx package, in standard operators.

Before: channels_last.Conv(x [N, H, W, C], w [O, kh, kw, C])
After:  Transpose(x) -> Conv(., Transpose(w)) -> Transpose

Before: channels_last.BatchNormalization(x, gamma, beta, mean, var)
After:  Mul(x, a) -> Add(., b) with a = gamma / sqrt(var + epsilon), b = beta - mean * a, in onnxruntime's order of operations

Transpositions between such operators cancel when the streams are laid out: a stream is channels-last anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from flowc.errors import ModelError

__all__ = ["CHANNELS_LAST", "CHANNELS_LAST_DOMAIN", "channels_first"]

CHANNELS_LAST_DOMAIN = "qonnx.custom_op.channels_last"
CHANNELS_LAST = frozenset({"AveragePool", "BatchNormalization", "Conv", "MaxPool"})
"""Operators of that domain that flowc reads."""


def channels_first(graph: onnx.GraphProto) -> None:
    """Rewrite every channels-last operator of `graph`, in place.

    Raises:
        ModelError: one does not say the size of its kernel, so that its number of axes is not known.
    """
    if not any(node.domain == CHANNELS_LAST_DOMAIN for node in graph.node):
        return
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.extend(_rewritten(node, graph, taken) if node.domain == CHANNELS_LAST_DOMAIN else [node])
    fresh = onnx.GraphProto()
    fresh.node.extend(nodes)
    del graph.node[:]
    graph.node.extend(fresh.node)


def _rewritten(node: onnx.NodeProto, graph: onnx.GraphProto, taken: set[str]) -> Iterable[onnx.NodeProto]:
    def fresh(hint: str) -> str:
        name, count = f"{node.output[0]}/{hint}", 1
        while name in taken:
            name, count = f"{node.output[0]}/{hint}_{count}", count + 1
        taken.add(name)
        return name

    if node.op_type == "BatchNormalization":
        return _normalization(node, graph, fresh)
    return _transposed(node, fresh)


def _transposed(node: onnx.NodeProto, fresh: Callable[[str], str]) -> Iterator[onnx.NodeProto]:
    kernel = next((list(a.ints) for a in node.attribute if a.name == "kernel_shape"), [])
    if not kernel:
        raise ModelError(
            "it does not say the size of its kernel", node=node.name or node.output[0], remedy="export it again"
        )
    rank = len(kernel) + 2
    first, last = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
    name = node.name or node.output[0]
    inputs = list(node.input)
    for index in range(2 if node.op_type == "Conv" else 1):
        moved = fresh(f"channels_first_{index}")
        yield helper.make_node("Transpose", [inputs[index]], [moved], moved, perm=first)
        inputs[index] = moved
    result = fresh("channels_first")
    inner = helper.make_node(node.op_type, inputs, [result], name)
    inner.attribute.extend(node.attribute)
    yield inner
    yield helper.make_node("Transpose", [result], [node.output[0]], result, perm=last)


def _normalization(
    node: onnx.NodeProto, graph: onnx.GraphProto, fresh: Callable[[str], str]
) -> Iterator[onnx.NodeProto]:
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    x, gamma, beta, mean, variance = node.input[:5]

    def constant(number: float, hint: str) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(number, np.float32), given := fresh(hint)))
        return given

    widened, root, inverse, a = (fresh(hint) for hint in ("widened", "root", "inverse", "factor"))
    offset, b, scaled = (fresh(hint) for hint in ("offset", "shift", "scaled"))
    for op_type, operands, result in (
        ("Add", [variance, constant(epsilon, "epsilon")], widened),
        ("Sqrt", [widened], root),
        ("Div", [constant(1, "one"), root], inverse),
        ("Mul", [inverse, gamma], a),
        ("Mul", [mean, a], offset),
        ("Sub", [beta, offset], b),
        ("Mul", [x, a], scaled),
    ):
        yield helper.make_node(op_type, operands, [result], result)
    yield helper.make_node("Add", [scaled, b], [node.output[0]], node.name or node.output[0])
