"""The QOperator dialect of onnxruntime: operators from integers to integers -> the same in terms of flowc's quantizers.

Before: QLinearConv(x, sx, zx, w, sw, zw, sy, zy, b)
After:  Dequantize(x, 1, zx), Dequantize(w, 1, zw) -> Conv(., ., b) -> Mul(sx * sw / sy) -> Quantize[onnx](., 1, zy)

That is onnxruntime's own arithmetic: the exact integer dot product, one float32 multiplication by a multiplier computed
in float32, round half to even. Operators that onnxruntime itself computes in floats (or by a table of them) become
Dequantize -> float operator -> Quantize.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.emit import Array, Emitter, checked_scale, constant_input
from flowc.importer.qdq import along_axis, integer_quantizer, zero_point_input
from flowc.model import ir as fir

__all__ = ["LOWERINGS"]

_ONE, _ZERO = np.ones((), np.float32), np.zeros((), np.float32)


def _integers(emitter: Emitter, node: ir.Node, index: int, zero: Array) -> ir.Value:
    """Input `index` less its zero point, as float-carried integers."""
    value = fir.required(node, index)
    array = fir.array_of(value)
    if array is not None:
        value = emitter.editor.constant(array.astype(np.float32), f"{value.name}/integers")
    return emitter.dequantize(node, value, _ONE, zero, f"{fir.label(node)}/{index}")


def _scale(node: ir.Node, index: int, *, per_channel: bool = False) -> Array:
    """A scale: one number, or, of weights, one per channel."""
    scale = checked_scale(constant_input(node, index, "scale"), node)
    if scale.size == 1:
        return scale.reshape(())
    if not per_channel:
        message = f"the scale at input {index} has {scale.size} values instead of one"
        raise ModelError(
            message, node=fir.label(node), remedy="quantize activations with one scale (per_channel is for weights)"
        )
    return scale


def _output(emitter: Emitter, node: ir.Node, y: ir.Value, scale: Array, index: int) -> ir.Value:
    """Quantize `y` by `scale` and the output zero point at input `index`."""
    zero_point = fir.optional(node, index)
    dtype = zero_point.dtype if zero_point is not None else ir.DataType.UINT8
    quantizer = integer_quantizer(dtype, node)
    return emitter.quantize(node, y, scale, zero_point_input(node, index), quantizer, node.outputs[0].name or "")


def _multiplied(emitter: Emitter, node: ir.Node, y: ir.Value, factor: Array, shape: tuple[int, ...]) -> ir.Value:
    multiplier = emitter.constant(factor, f"{fir.label(node)}/multiplier")
    return emitter.editor.insert(node, "Mul", [y, multiplier], shape=shape)


def _floats(emitter: Emitter, node: ir.Node, index: int) -> ir.Value:
    """The quantized tensor at `index` (its scale and zero point follow it) as floats."""
    value = fir.required(node, index)
    scale, zero = _scale(node, index + 1), zero_point_input(node, index + 2)
    if scale.size != 1 or zero.size != 1:
        raise ModelError("its scales are not one number each", node=fir.label(node), remedy="quantize per tensor")
    array = fir.array_of(value)
    if array is not None:
        value = emitter.editor.constant(array.astype(np.float32), f"{value.name}/integers")
    return emitter.dequantize(node, value, scale, zero, f"{fir.label(node)}/{index}")


def _conv(emitter: Emitter, node: ir.Node) -> ir.Value:
    """QLinearConv: x, sx, zx, w, sw, zw, sy, zy, bias."""
    rank = len(fir.shape_of(fir.required(node, 3)))
    x = _integers(emitter, node, 0, zero_point_input(node, 2))
    w = _integers(emitter, node, 3, along_axis(zero_point_input(node, 5), 0, rank, node))
    inputs = [x, w]
    if fir.optional(node, 8) is not None:
        inputs.append(_integers(emitter, node, 8, _ZERO))
    shape = fir.shape_of(node.outputs[0])
    y = emitter.editor.insert(node, "Conv", inputs, shape=shape)
    _copy_attributes(node, y)
    factor = (_scale(node, 1) * _scale(node, 4, per_channel=True) / _scale(node, 6)).astype(np.float32)
    y = _multiplied(emitter, node, y, along_axis(factor, 1, rank, node), shape)
    return _output(emitter, node, y, _ONE, 7)


def _matmul(emitter: Emitter, node: ir.Node) -> ir.Value:
    """QLinearMatMul: a, sa, za, b, sb, zb, sy, zy."""
    shape = fir.shape_of(node.outputs[0])
    rank_b = len(fir.shape_of(fir.required(node, 3)))
    a = _integers(emitter, node, 0, zero_point_input(node, 2))
    b = _integers(emitter, node, 3, along_axis(zero_point_input(node, 5), -1, rank_b, node))
    y = emitter.editor.insert(node, "MatMul", [a, b], shape=shape)
    factor = (_scale(node, 1) * _scale(node, 4, per_channel=True) / _scale(node, 6)).astype(np.float32)
    y = _multiplied(emitter, node, y, along_axis(factor, -1, len(shape), node), shape)
    return _output(emitter, node, y, _ONE, 7)


def _gemm(emitter: Emitter, node: ir.Node) -> ir.Value:
    """com.microsoft QGemm: a, sa, za, b, sb, zb, bias, sy, zy; without sy the result is float."""
    shape = fir.shape_of(node.outputs[0])
    transposed = fir.int_attr(node, "transB", 0)
    a = _integers(emitter, node, 0, zero_point_input(node, 2))
    b = _integers(emitter, node, 3, along_axis(zero_point_input(node, 5), 0 if transposed else 1, 2, node))
    attributes = {"transA": fir.int_attr(node, "transA", 0), "transB": transposed}
    inputs = [a, b] if fir.optional(node, 6) is None else [a, b, _integers(emitter, node, 6, _ZERO)]
    y = emitter.editor.insert(node, "Gemm", inputs, attributes, shape=shape)
    factor = np.float32(fir.float_attr(node, "alpha", 1.0)) * _scale(node, 1) * _scale(node, 4, per_channel=True)
    if fir.optional(node, 7) is None:
        return _multiplied(emitter, node, y, along_axis(factor.astype(np.float32), 1, 2, node), shape)
    y = _multiplied(emitter, node, y, along_axis((factor / _scale(node, 7)).astype(np.float32), 1, 2, node), shape)
    return _output(emitter, node, y, _ONE, 8)


def _integer_product(emitter: Emitter, node: ir.Node) -> ir.Value:
    """MatMulInteger and ConvInteger: a, b, za, zb -> plain integers."""
    convolution = node.op_type == "ConvInteger"
    rank_b = len(fir.shape_of(fir.required(node, 1)))
    zero_b = along_axis(zero_point_input(node, 3), 0 if convolution else -1, rank_b, node)
    a, b = _integers(emitter, node, 0, zero_point_input(node, 2)), _integers(emitter, node, 1, zero_b)
    y = emitter.editor.insert(node, "Conv" if convolution else "MatMul", [a, b], shape=fir.shape_of(node.outputs[0]))
    _copy_attributes(node, y)
    return y


def _binary(emitter: Emitter, node: ir.Node) -> ir.Value:
    """QLinearAdd and QLinearMul: a, sa, za, b, sb, zb, sy, zy."""
    inputs = [_floats(emitter, node, 0), _floats(emitter, node, 3)]
    y = emitter.editor.insert(node, node.op_type.removeprefix("QLinear"), inputs, shape=fir.shape_of(node.outputs[0]))
    return _output(emitter, node, y, _scale(node, 6), 7)


def _require_channels_first(node: ir.Node) -> None:
    if fir.int_attr(node, "channels_last", 0):
        raise ModelError("it is channels-last", node=fir.label(node), remedy="export the model channels-first")
    node.attributes.pop("channels_last", None)


def _unary(emitter: Emitter, node: ir.Node) -> ir.Value:
    """QLinearSigmoid, QLinearLeakyRelu, QLinearAveragePool: x, sx, zx, sy, zy."""
    _require_channels_first(node)
    op_type = node.op_type.removeprefix("QLinear")
    y = emitter.editor.insert(node, op_type, [_floats(emitter, node, 0)], shape=fir.shape_of(node.outputs[0]))
    _copy_attributes(node, y)
    return _output(emitter, node, y, _scale(node, 3), 4)


def _global_pool(emitter: Emitter, node: ir.Node) -> ir.Value:
    """com.microsoft QLinearGlobalAveragePool: x, sx, zx, sy, zy."""
    _require_channels_first(node)
    shape = fir.shape_of(node.outputs[0])
    x = _integers(emitter, node, 0, zero_point_input(node, 2))
    y = emitter.editor.insert(node, "GlobalAveragePool", [x], shape=shape)
    y = _multiplied(emitter, node, y, (_scale(node, 1) / _scale(node, 3)).astype(np.float32).reshape(()), shape)
    return _output(emitter, node, y, _ONE, 4)


def _softmax(emitter: Emitter, node: ir.Node) -> ir.Value:
    """com.microsoft QLinearSoftmax: x, sx, zx, sy, zy; attribute opset: 13 and later act along one axis, before along all from it on."""
    shape = fir.shape_of(node.outputs[0])
    axis = fir.int_attr(node, "axis", -1) % len(shape)
    if fir.int_attr(node, "opset", 13) < 13 and any(n > 1 for n in shape[axis + 1 :]):
        raise ModelError(
            "it acts along several axes at once", node=fir.label(node), remedy="export with opset 13 or later"
        )
    y = emitter.editor.insert(node, "Softmax", [_floats(emitter, node, 0)], {"axis": axis}, shape=shape)
    return _output(emitter, node, y, _scale(node, 3), 4)


def _concat(emitter: Emitter, node: ir.Node) -> ir.Value:
    """com.microsoft QLinearConcat: sy, zy, then x, sx, zx of each part."""
    parts = [_floats(emitter, node, index) for index in range(2, len(node.inputs), 3)]
    y = emitter.editor.insert(
        node, "Concat", parts, {"axis": fir.int_attr(node, "axis", 1)}, shape=fir.shape_of(node.outputs[0])
    )
    return _output(emitter, node, y, _scale(node, 0), 1)


def _copy_attributes(node: ir.Node, y: ir.Value) -> None:
    producer = y.producer()
    if producer is not None:
        for attribute in node.attributes.values():
            producer.attributes[attribute.name] = attribute


LOWERINGS: dict[str, Callable[[Emitter, ir.Node], ir.Value]] = {
    "ConvInteger": _integer_product,
    "MatMulInteger": _integer_product,
    "QGemm": _gemm,
    "QLinearAdd": _binary,
    "QLinearAveragePool": _unary,
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _global_pool,
    "QLinearLeakyRelu": _unary,
    "QLinearMatMul": _matmul,
    "QLinearMul": _binary,
    "QLinearSigmoid": _unary,
    "QLinearSoftmax": _softmax,
}
"""Operator -> function that writes it in front of the node and returns the value that stands for its output."""
