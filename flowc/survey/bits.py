"""How wide a tensor's integers are: the quantizer that made it, found through what only moves or picks elements."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

__all__ = ["Bits"]

_MOVES = frozenset(
    {
        "Cast", "Concat", "DepthToSpace", "DequantizeLinear", "Dropout", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity",
        "MaxPool", "Pad", "ReduceMax", "Relu", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze", "Upsample",
    }
)  # fmt: skip
"""Operators whose results are no wider than what enters at their first input (all inputs, for Concat)."""

_TYPES: dict[int, int] = {
    TensorProto.INT8: 8, TensorProto.UINT8: 8, TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.INT16: 16,
    TensorProto.UINT16: 16, TensorProto.BOOL: 1,
}  # fmt: skip
_QUANTIZED_RESULT = frozenset(
    {
        "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat", "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu",
        "QLinearMatMul", "QLinearMul", "QLinearSigmoid", "QLinearSoftmax",
    }
)  # fmt: skip
_SMALL = 4096


class Bits:
    """Widths of the tensors of a graph.

    Args:
        nodes: in topological order.
        initializers: of the graph.
        inputs: of the graph.
    """

    def __init__(
        self,
        nodes: Iterable[onnx.NodeProto],
        initializers: Iterable[onnx.TensorProto],
        inputs: Iterable[onnx.ValueInfoProto],
    ) -> None:
        self._constants: dict[str, onnx.TensorProto] = {t.name: t for t in initializers}
        self._found: dict[str, int | None] = {
            i.name: _TYPES.get(i.type.tensor_type.elem_type) for i in inputs if i.name not in self._constants
        }
        self._found |= {name: _TYPES.get(t.data_type) for name, t in self._constants.items()}
        for node in nodes:
            width = self._of(node)
            for name in node.output:
                self._found[name] = width

    def of(self, tensor: str) -> int | None:
        """Bits of the tensor's integers; None: floats that no quantizer made, or not known."""
        return self._found.get(tensor)

    def _value(self, name: str) -> np.ndarray | None:
        tensor = self._constants.get(name)
        if tensor is None or math.prod(tensor.dims) > _SMALL:
            return None
        try:
            return numpy_helper.to_array(tensor)
        except (TypeError, ValueError, LookupError):
            return None

    def _number(self, node: onnx.NodeProto, place: int) -> float | None:
        value = self._value(node.input[place]) if place < len(node.input) else None
        return float(value.max()) if value is not None and value.size and np.isfinite(value).all() else None

    def _of(self, node: onnx.NodeProto) -> int | None:
        kind = node.op_type
        if kind == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    self._constants.update(dict.fromkeys(node.output, attribute.t))
                    return _TYPES.get(attribute.t.data_type)
            return None
        if kind in ("Quant", "IntQuant"):
            return _width(self._number(node, 3))
        if kind in ("BipolarQuant", "BinaryQuant"):
            return 1
        if kind == "Trunc":
            return _width(self._number(node, len(node.input) - 1))
        if kind == "QuantizeLinear":
            zero = self._constants.get(node.input[2]) if len(node.input) > 2 else None
            return 8 if zero is None else _TYPES.get(zero.data_type)
        if kind == "MultiThreshold":
            steps = self._constants.get(node.input[1]) if len(node.input) > 1 else None
            return None if steps is None or len(steps.dims) < 2 else int(steps.dims[1]).bit_length()
        if kind == "Clip":
            return self._clipped(node)
        if kind in _QUANTIZED_RESULT:
            return 8
        widths = [self.of(name) for name in (node.input if kind == "Concat" else node.input[:1])]
        known = [w for w in widths if w is not None]
        return max(known) if kind in _MOVES and known and len(known) == len(widths) else None

    def _clipped(self, node: onnx.NodeProto) -> int | None:
        """Of integers between two bounds, as in QCDQ; a clip of floats makes no integers."""
        low, high = self._number(node, 1), self._number(node, 2)
        width = self.of(node.input[0]) if node.input else None
        if width is None or low is None or high is None or high < low:
            return width
        return min(width, max(1, math.ceil(math.log2(high - low + 1))))


def _width(value: float | None) -> int | None:
    return int(value) if value is not None and 1 <= value <= 64 and value == int(value) else None
