"""Structural checks on a parsed model, before anything is built from it: nothing a file declares is trusted.

Checked here: names are defined once and before use, the graph has no cycle (nodes in any order are put in order),
tensors are as large as they say and not absurd, weights are finite, and element types are ones flowc computes with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from flowc.errors import ModelError
from flowc.importer.remedies import EXPORT_AGAIN

__all__ = ["MOST_ELEMENTS", "check_dims", "check_graph", "check_names", "read_tensor", "type_name"]

MOST_ELEMENTS = 2**28
"""Largest tensor flowc handles, in elements (1 GiB of float32)."""

_FINITE = {np.dtype(np.float32), np.dtype(np.float64)}
_READABLE = {
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.BOOL,
    TensorProto.INT4,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT4,
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
}


def type_name(code: int) -> str:
    """Name of an ONNX element type code, e.g. ``float8e4m3fn``."""
    try:
        return str(TensorProto.DataType.Name(code)).lower()
    except ValueError:
        return f"type {code}"


def check_dims(dims: Iterable[int], name: str) -> int:
    """Number of elements of a tensor with these dimensions.

    Raises:
        ModelError: a negative dimension, or more elements than `MOST_ELEMENTS`.
    """
    dims = list(dims)
    if any(d < 0 for d in dims):
        raise ModelError(f"tensor '{name}' has a negative dimension", remedy=EXPORT_AGAIN)
    count = math.prod(dims)
    if count > MOST_ELEMENTS:
        raise ModelError(
            f"tensor '{name}' is declared with {count} elements; flowc handles up to {MOST_ELEMENTS}",
            remedy="check its shape, or use a smaller network",
        )
    return count


def read_tensor(tensor: onnx.TensorProto, name: str | None = None) -> np.ndarray:
    """The array of a tensor; checked before anything of its declared size is allocated.

    Raises:
        ModelError: absurd size, data of the wrong length, an element type flowc does not read, NaN or infinity.
    """
    name = name or tensor.name
    check_dims(tensor.dims, name)
    if tensor.data_type not in _READABLE:
        reason = f"tensor '{name}' holds {type_name(tensor.data_type)}, which flowc does not compute with"
        raise ModelError(reason, remedy="export the model with float32 and integer tensors")
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ModelError(
            f"the data of tensor '{name}' does not fit its declared shape ({error})", remedy=EXPORT_AGAIN
        ) from None
    if array.dtype in _FINITE and not np.isfinite(array).all():
        count = int(array.size - np.isfinite(array).sum())
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise ModelError(
            f"tensor '{name}' contains {what} ({count} of {array.size} values are not finite)",
            remedy="retrain or repair the model: hardware integers can't hold such values",
        )
    return array


def check_names(model: onnx.ModelProto) -> None:
    """Check that every name of the model is text: protobuf hands out names that are not valid UTF-8 as bytes.

    Raises:
        ModelError: there is one that is not.
    """
    graph = model.graph
    names: list[object] = [graph.name, *(o.domain for o in model.opset_import)]
    names += [named.name for group in (graph.initializer, graph.input, graph.output) for named in group]
    for node in graph.node:
        names += (node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute))
    if not all(isinstance(name, str) for name in names):
        raise ModelError("the model holds names that are not text: the file is damaged", remedy="export it again")


def check_graph(graph: onnx.GraphProto) -> None:
    """Check names and connections of `graph`, and put its nodes in topological order.

    Raises:
        ModelError: a name defined twice, used but never defined, or a cycle.
    """
    if graph.sparse_initializer:
        raise ModelError("the model has sparse initializers", remedy="store the weights densely")
    if not graph.output:
        raise ModelError("the model has no output", remedy=EXPORT_AGAIN)
    initializers = _unique((t.name for t in graph.initializer), "initializer")
    inputs = _unique((i.name for i in graph.input), "graph input")
    _unique((o.name for o in graph.output), "graph output")
    known = initializers | inputs
    producer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for output in filter(None, node.output):
            if output in known or output in producer:
                raise ModelError(f"the name '{output}' is defined twice", node=_label(node), remedy=EXPORT_AGAIN)
            producer[output] = index
    for node in graph.node:
        for name in filter(None, node.input):
            if name not in known and name not in producer:
                raise ModelError(f"its input '{name}' is defined nowhere", node=_label(node), remedy=EXPORT_AGAIN)
    for value in graph.output:
        if value.name not in known and value.name not in producer:
            raise ModelError(f"the model output '{value.name}' is computed by no node", remedy=EXPORT_AGAIN)
    _sort(graph, producer)


def _unique(names: Iterable[str], what: str) -> set[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelError(f"the {what} '{name}' is defined twice", remedy=EXPORT_AGAIN)
        if not name:
            message = f"the model has an {what} without a name" if what[0] == "i" else f"a {what} has no name"
            raise ModelError(message, remedy=EXPORT_AGAIN)
        seen.add(name)
    return seen


def _label(node: onnx.NodeProto) -> str:
    return node.name or next(filter(None, node.output), node.op_type)


def _sort(graph: onnx.GraphProto, producer: dict[str, int]) -> None:
    """Order the nodes so that each follows what it reads (Kahn's algorithm, stable for graphs already in order)."""
    count = len(graph.node)
    if all(producer.get(name, -1) < index for index, node in enumerate(graph.node) for name in node.input):
        return
    waiting = [0] * count
    readers: list[list[int]] = [[] for _ in range(count)]
    for index, node in enumerate(graph.node):
        for source in {producer[name] for name in node.input if name in producer}:
            waiting[index] += 1
            readers[source].append(index)
    order = [index for index in range(count) if not waiting[index]]
    for index in order:
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                order.append(reader)
    if len(order) < count:
        stuck = [_label(graph.node[index]) for index in range(count) if waiting[index]]
        named = ", ".join(f"'{name}'" for name in stuck[:8]) + (", ..." if len(stuck) > 8 else "")
        raise ModelError(f"the graph has a cycle through {named}", remedy="flowc compiles feed-forward networks")
    nodes = [graph.node[index] for index in order]
    ordered = onnx.GraphProto()
    ordered.node.extend(nodes)
    del graph.node[:]
    graph.node.extend(ordered.node)
