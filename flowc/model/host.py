"""The float parts of a model, run on the host by onnxruntime, one sample at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import onnx

from flowc.model.dtypes import Array
from flowc.model.runtime import open_session, run_session
from flowc.templates.driver.onnxfile import read_graph
from flowc.templates.driver.operators import EXACT, OPERATORS

__all__ = ["HostGraph"]


_POINTWISE = {
    "Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Equal", "Floor", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Mul",
    "Neg", "Relu", "Round", "Sign", "Sub", "Where",
}  # fmt: skip
"""Operators that compute each element from those at its place, as IEEE 754 says to the last bit: whatever is computed beside it."""


class HostGraph:
    """A small standard ONNX model with batch size 1: the head or the tail of a network.

    Samples are run one by one, because onnxruntime's float sums depend on the batch size; all at once where no operator adds any, as in a
    quantizer.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.inputs = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input}
        self.outputs = tuple(v.name for v in model.graph.output)
        self._dtypes = {
            v.name: onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input
        }

    @cached_property
    def _session(self) -> Any:
        return open_session(self.model, threads=1)

    @cached_property
    def _together(self) -> Any:
        """A session that takes any number of samples; None where they might not come out of it as they do alone."""
        graph, ranks = self.model.graph, {len(shape) for shape in self.inputs.values()}
        constants = {c.name: tuple(c.dims) for c in graph.initializer}
        if len(ranks) != 1 or any(not shape or shape[0] != 1 for shape in self.inputs.values()):
            return None
        (rank,) = ranks
        if any(len(dims) > rank or (len(dims) == rank and dims[0] != 1) for dims in constants.values()):
            return None
        if any(n.domain or n.op_type not in _POINTWISE or set(n.input) <= constants.keys() | {""} for n in graph.node):
            return None
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.value_info[:]
        for value in (*model.graph.input, *model.graph.output):
            if value.type.tensor_type.HasField("shape") and value.type.tensor_type.shape.dim:
                value.type.tensor_type.shape.dim[0].dim_param = "N"
        return open_session(model, threads=1)

    def run_one(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """As `run`, of one sample, and without loading onnxruntime where numpy gives the same bits.

        It does where IEEE arithmetic defines every operator to the last bit, as it does those of a quantizer; it is how the driver
        computes them.
        """
        graph = read_graph(self.model.SerializeToString())
        if any(n.domain or n.op not in EXACT or len(n.outputs) != 1 for n in graph.nodes):
            return self.run(arrays)
        values: dict[str, Any] = dict(graph.constants)
        for name, shape in self.inputs.items():
            values[name] = np.ascontiguousarray(arrays[name], self._dtypes[name]).reshape(shape)
        with np.errstate(all="ignore"):
            for node in graph.nodes:
                given = [values[name] if name else None for name in node.inputs]
                values[node.outputs[0]] = np.asarray(OPERATORS[node.op](node, given, 1))
        return {n: a if a.ndim else a[None] for n in self.outputs for a in [values[n]]}

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, samples stacked along axis 0.

        Args:
            arrays: (N, ...) per input; the elements of a sample are reshaped to what the graph takes.
        """
        if not self.inputs:
            count = len(next(iter(arrays.values()), (0,)))  # constants alone: one sample
        else:
            count = len(arrays[next(iter(self.inputs))])
        columns: list[list[Array]] = [[] for _ in self.outputs]
        feeds = {
            n: np.ascontiguousarray(arrays[n], self._dtypes[n]).reshape(count, *shape)
            for n, shape in self.inputs.items()
        }
        if count > 1 and self._together is not None:
            stacked = {n: a.reshape(count, *self.inputs[n][1:]) for n, a in feeds.items()}
            return dict(zip(self.outputs, run_session(self._together, self.outputs, stacked), strict=True))
        for i in range(count):
            results = run_session(self._session, self.outputs, {n: a[i] for n, a in feeds.items()})
            for column, result in zip(columns, results, strict=True):
                column.append(np.asarray(result))
        return {
            n: np.stack(c) if c[0].ndim == 0 else np.concatenate(c) for n, c in zip(self.outputs, columns, strict=True)
        }
