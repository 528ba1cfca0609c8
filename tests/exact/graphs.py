"""Small graphs for the tests, value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from flowc.model.ir import DOMAIN

Array = np.ndarray[Any, Any]
S = [1, 2, 1, 1]


def dequantized(shape: list[int], scale: Any = 0.5, zero: Any = 0.0, name: str = "q") -> tuple[ir.Value, ir.Value]:
    """(float, integer) of a Dequantize."""
    q = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.node("Dequantize", [q, const(scale), const(zero)], domain=DOMAIN)
    return shaped(node, shape), q


def const(array: Any) -> ir.Value:
    tensor = ir.tensor(np.asarray(array, np.float32))
    value = ir.Value(
        name=f"c{id(tensor)}", const_value=tensor, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype)
    )
    graph = ir.Graph([], [], nodes=[], initializers=[value], opset_imports={"": 20})
    _KEPT.append(graph)
    return value


_KEPT: list[ir.Graph] = []


def shaped(node: ir.Node, shape: list[int]) -> ir.Value:
    (out,) = node.outputs
    out.name, out.shape, out.type = f"{node.op_type}{id(node)}", ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
    return out


def op(kind: str, *inputs: ir.Value, shape: list[int], **attributes: Any) -> ir.Value:
    return shaped(ir.node(kind, list(inputs), attributes), shape)


def ranged(*shape: int, low: int, high: int, name: str = "q") -> tuple[ir.Value, dict[ir.Value, tuple[Array, Array]]]:
    q = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))
    rank = (1,) * len(shape)
    return q, {q: (np.full(rank, low), np.full(rank, high))}


def own(kind: str, inputs: list[ir.Value], shape: list[int], **attributes: Any) -> ir.Value:
    return shaped(ir.node(kind, inputs, attributes, domain=DOMAIN), shape)
