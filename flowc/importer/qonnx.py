"""The QONNX dialect: Quant, BipolarQuant and Trunc nodes -> flowc.Quantize and flowc.Dequantize.

Before: Quant(x, scale, zero_point, bits)              After: Quantize(x, s, z) -> Dequantize(., s, z)
Before: BipolarQuant(x, scale)                         After: Quantize[bipolar](x, s, 0) -> Dequantize(., s, 0)
Before: Trunc(x, s, z, in_bits, out_scale, out_bits)   After: Div s -> Add z -> Round -> Quantize(., 2^k, 0)
                                                              -> Dequantize(., out_scale, z / 2^k)
The arithmetic is that of the QONNX specification, in float32 and in its order of operations.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.build import QUANTIZER_DOMAIN
from flowc.importer.emit import Array, Emitter, Quantizer, checked_scale, constant_input
from flowc.importer.levels import multi_threshold, requant_shift
from flowc.importer.remedies import FIXED, REPAIR
from flowc.model import ir as fir
from flowc.model.dtypes import distinct
from flowc.model.quantizers import ROUNDINGS, integer_bounds, rounding_mode

__all__ = ["lower_qonnx"]

_ZERO = np.zeros((), np.float32)
_BIPOLAR = Quantizer(bits=1, signed=True, lo=-1, hi=1, style="bipolar")


def lower_qonnx(model: ir.Model) -> None:
    """Rewrite every QONNX quantizer of the graph. Needs shapes and folded constants.

    Raises:
        ModelError: scale, zero point, bit width or rounding mode that are not constant or not valid.
    """
    emitter = Emitter(model.graph)
    for node in list(model.graph):
        if node.domain != QUANTIZER_DOMAIN:
            continue
        x = fir.required(node, 0)
        if x.shape is None or not x.shape.is_static():
            raise ModelError("the shape of the tensor it quantizes is not known", node=fir.label(node), remedy=FIXED)
        if x.dtype not in (None, ir.DataType.FLOAT):
            raise ModelError(f"it quantizes {x.dtype}", node=fir.label(node), remedy="quantize float32 tensors")
        if node.op_type == "MultiThreshold":
            value = multi_threshold(emitter, node, x)
        elif node.op_type == "RequantShift":
            value = requant_shift(emitter, node, x)
        elif node.op_type in ("BipolarQuant", "BinaryQuant"):
            value = _bipolar(emitter, node, x)
        elif node.op_type == "Trunc":
            value = _trunc(emitter, node, x)
        else:
            value = _quant(emitter, node, x)
        emitter.editor.replace(node, value)


def _bits(node: ir.Node, index: int, what: str = "bit width") -> int:
    array = constant_input(node, index, what)
    values = distinct(np.asarray(array, np.float64))
    if values.size != 1 or not float(values[0]).is_integer() or not 1 <= values[0] <= 32:
        stated = "different per channel" if values.size > 1 else ", ".join(f"{v:g}" for v in values) or "empty"
        raise ModelError(
            f"its {what} must be one whole number from 1 to 32, but is {stated}", node=fir.label(node),
            remedy="quantize the model to between 1 and 32 bits",
        )  # fmt: skip
    return int(values[0])


def _rounding(node: ir.Node, default: str) -> str:
    name = fir.str_attr(node, "rounding_mode", default)
    mode = rounding_mode(name)
    if mode is None:
        known = ", ".join(ROUNDINGS)
        raise ModelError(f"its rounding mode '{name}' is unknown", node=fir.label(node), remedy=f"use one of {known}")
    return mode


def _zero_point(node: ir.Node, index: int) -> Array:
    zero = np.asarray(constant_input(node, index, "zero point"), np.float32)
    if not np.isfinite(zero).all():
        raise ModelError("its zero point is not finite", node=fir.label(node), remedy=REPAIR)
    return zero


def _quant(emitter: Emitter, node: ir.Node, x: ir.Value) -> ir.Value:
    name = node.outputs[0].name or ""
    scale = checked_scale(constant_input(node, 1, "scale"), node)
    zero = _zero_point(node, 2)
    bits = _bits(node, 3)
    signed, narrow = bool(fir.int_attr(node, "signed", 1)), bool(fir.int_attr(node, "narrow", 0))
    if bits == 1 and signed:  # the field's convention: one signed bit means -1 and +1
        if zero.any():
            shape = fir.shape_of(x)
            x = emitter.editor.insert(node, "Div", [x, emitter.constant(scale, f"{name}/scale")], shape=shape)
            x = emitter.editor.insert(node, "Add", [x, emitter.constant(zero, f"{name}/zero_point")], shape=shape)
        q = emitter.quantize(node, x, scale, _ZERO, _BIPOLAR, name)
        return emitter.dequantize(node, q, scale, zero, name)
    lo, hi = integer_bounds(bits, signed=signed, narrow=narrow)
    if hi <= lo:
        message = "a one-bit unsigned narrow quantizer can only give zero"
        raise ModelError(message, node=fir.label(node), remedy="give it two bits, or narrow_range=False")
    quantizer = Quantizer(bits, signed, lo, hi, narrow, _rounding(node, "ROUND"))
    q = emitter.quantize(node, x, scale, zero, quantizer, name)
    return emitter.dequantize(node, q, scale, zero, name)


def _bipolar(emitter: Emitter, node: ir.Node, x: ir.Value) -> ir.Value:
    name = node.outputs[0].name or ""
    scale = checked_scale(constant_input(node, 1, "scale"), node)
    q = emitter.quantize(node, x, scale, _ZERO, _BIPOLAR, name)
    return emitter.dequantize(node, q, scale, _ZERO, name)


def _trunc(emitter: Emitter, node: ir.Node, x: ir.Value) -> ir.Value:
    """Both versions: version 1 (five inputs) keeps the scale and does not clip; version 2 (six) does both anew."""
    name = node.outputs[0].name or ""
    shape = fir.shape_of(x)
    version_2 = len(node.inputs) >= 6
    scale, zero = checked_scale(constant_input(node, 1, "scale"), node), _zero_point(node, 2)
    in_bits = _bits(node, 3, "input bit width")
    rounding = _rounding(node, "FLOOR")
    if version_2:
        out_scale = checked_scale(constant_input(node, 4, "output scale"), node)
        bits = _bits(node, 5, "output bit width")
        signed, narrow = bool(fir.int_attr(node, "signed", 1)), bool(fir.int_attr(node, "narrow", 0))
        lo, hi = integer_bounds(bits, signed=signed, narrow=narrow)
        quantizer = Quantizer(bits, signed, lo, hi, narrow, rounding)
        divisor = np.exp2(np.rint(np.log2(out_scale / scale))).astype(np.float32)
        out_zero = (zero / divisor).astype(np.float32)
    else:
        out_scale, out_zero = scale, zero
        lo, hi = integer_bounds(32, signed=True, narrow=False)
        quantizer = Quantizer(32, True, lo, hi, False, rounding)
        divisor = np.asarray(2.0 ** (in_bits - _bits(node, 4, "output bit width")), np.float32)
    editor = emitter.editor
    x = editor.insert(node, "Div", [x, emitter.constant(scale, f"{name}/scale")], shape=shape)
    if zero.any():
        x = editor.insert(node, "Add", [x, emitter.constant(zero, f"{name}/zero_point")], shape=shape)
    x = editor.insert(node, "Round", [x], shape=shape)
    q = emitter.quantize(node, x, divisor, _ZERO, quantizer, name)
    return emitter.dequantize(node, q, out_scale, out_zero, name)
