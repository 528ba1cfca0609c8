"""Quantizers that other compilers have written already: FINN's MultiThreshold, and PULP's RequantShift.

Before: MultiThreshold[out_scale, out_bias](x, thresholds)   After: Quantize[levels](x, 1, 0, t1, t2 ...) -> Dequantize(., 1, 0)
                                                                    -> Mul out_scale -> Add out_bias
Before: RequantShift[div, n_levels, signed](x, mul, add)     After: Quantize[shift](x, div, add, mul) -> Dequantize(., 1, 0)

Both are defined on integers: a level is how many thresholds are reached; ``floor((x * mul + add) / div)`` is a shift where
div is a power of two. `flowc.model.quantizers.quantize` is their arithmetic.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.emit import Array, Emitter, Quantizer, constant_input
from flowc.importer.remedies import EXPORT_AGAIN
from flowc.model import ir as fir

__all__ = ["multi_threshold", "requant_shift"]

_ONE: Array = np.ones((), np.float32)
_ZERO: Array = np.zeros((), np.float32)
_MOST_THRESHOLDS = 1023
_LAYOUTS = {2: "NC", 3: "NWC", 4: "NCHW"}
_MOST_LEVELS = 1 << 24


def multi_threshold(emitter: Emitter, node: ir.Node, x: ir.Value) -> ir.Value:
    """FINN's MultiThreshold, as the qonnx package executes it.

    Raises:
        ModelError: thresholds that are computed at run time, or not one row per channel.
    """
    thresholds = np.asarray(constant_input(node, 1, "threshold matrix"), np.float32)
    rank, axis = len(fir.shape_of(x)), _channel_axis(node, x)
    channels = fir.shape_of(x)[axis]
    if thresholds.ndim != 2 or thresholds.shape[0] not in (1, channels) or not thresholds.shape[1]:
        raise ModelError(
            f"its thresholds have the shape {list(thresholds.shape)}, and the tensor {channels} channels (axis {axis})",
            node=fir.label(node),
            remedy="give one row of thresholds for each channel, or one for all, and the data_layout of the tensor",
        )
    rows = np.sort(thresholds, axis=1)
    if rows.shape[1] > _MOST_THRESHOLDS:
        raise ModelError(
            f"it has {rows.shape[1]} thresholds; flowc reads up to {_MOST_THRESHOLDS}", node=fir.label(node),
            remedy="quantize to fewer bits",
        )  # fmt: skip
    name = node.outputs[0].name or ""
    column = tuple(-1 if i == axis else 1 for i in range(rank))
    levels = [rows[:, i].reshape(column) for i in range(rows.shape[1])]
    if fir.str_attr(node, "out_dtype", "") == "BIPOLAR" and len(levels) == 1:
        return _bipolar(emitter, node, x, levels[0])
    quantizer = Quantizer(len(levels).bit_length(), False, 0, len(levels), style="levels")
    q = emitter.quantize(node, x, _ONE, _ZERO, quantizer, name, levels)
    value = emitter.dequantize(node, q, _ONE, _ZERO, name)
    for op_type, attribute, neutral in (("Mul", "out_scale", 1.0), ("Add", "out_bias", 0.0)):
        number = fir.float_attr(node, attribute, neutral)
        if number != neutral:
            constant = emitter.constant(np.asarray(number, np.float32), f"{name}/{attribute}")
            value = emitter.editor.insert(node, op_type, [value, constant], shape=fir.shape_of(x))
    return value


def _channel_axis(node: ir.Node, x: ir.Value) -> int:
    shape = fir.shape_of(x)
    layout = fir.str_attr(node, "data_layout", "") or _LAYOUTS.get(len(shape), "")
    axis = layout.index("C") if "C" in layout else 1
    if axis >= len(shape):
        raise ModelError(
            f"its data_layout '{layout}' does not fit rank {len(shape)}",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )
    return axis


def _bipolar(emitter: Emitter, node: ir.Node, x: ir.Value, threshold: Array) -> ir.Value:
    """One threshold between -1 and +1: in floats, ``x >= t`` and ``x - t >= 0`` are the same."""
    name, shape = node.outputs[0].name or "", fir.shape_of(x)
    scale, bias = fir.float_attr(node, "out_scale", 1.0), fir.float_attr(node, "out_bias", 0.0)
    if (scale, bias) != (2.0, -1.0):
        raise ModelError(
            f"its levels are {bias:g} and {scale + bias:g}, and it says that they are BIPOLAR", node=fir.label(node),
            remedy="give it out_scale 2 and out_bias -1",
        )  # fmt: skip
    if threshold.any():
        column = threshold.reshape(()) if threshold.size == 1 else threshold
        x = emitter.editor.insert(node, "Sub", [x, emitter.constant(column, f"{name}/threshold")], shape=shape)
    quantizer = Quantizer(bits=1, signed=True, lo=-1, hi=1, style="bipolar")
    return emitter.dequantize(node, emitter.quantize(node, x, _ONE, _ZERO, quantizer, name), _ONE, _ZERO, name)


def requant_shift(emitter: Emitter, node: ir.Node, x: ir.Value) -> ir.Value:
    """RequantShift of QuantLab, DORY and Deeploy: ``clip(floor((x * mul + add) / div))`` in integers.

    Raises:
        ModelError: a parameter is missing or no whole number.
    """
    rank, channels = len(fir.shape_of(x)), fir.shape_of(x)[1] if len(fir.shape_of(x)) > 1 else 1
    mul, add = (_column(node, i, what, rank, channels) for i, what in ((1, "multiplier"), (2, "addend")))
    div, signed = _number(node, "div", None), bool(_number(node, "signed", 0))
    levels = (
        _number(node, "n_levels_out", None) if "n_levels_out" in node.attributes else _number(node, "n_levels", None)
    )
    if div < 1 or not 2 <= levels <= _MOST_LEVELS:
        raise ModelError(f"it divides by {div} and has {levels} levels", node=fir.label(node), remedy="export it again")
    half = (levels + 1) // 2
    lo, hi = (-half, half - 1) if signed else (0, levels - 1)
    bits = max((-lo - 1).bit_length() if lo else 0, hi.bit_length()) + signed
    name = node.outputs[0].name or ""
    quantizer = Quantizer(bits, signed, lo, hi, rounding="FLOOR", style="shift")
    q = emitter.quantize(node, x, np.asarray(div, np.float32), add, quantizer, name, [mul])
    return emitter.dequantize(node, q, _ONE, _ZERO, name)


def _column(node: ir.Node, index: int, what: str, rank: int, channels: int) -> Array:
    """A whole number for all channels, or one for each."""
    array = np.asarray(constant_input(node, index, what), np.float64)
    if (array != np.rint(array)).any() or np.abs(array).max(initial=0) > 2**31:
        raise ModelError(
            f"its {what} is no whole number of 32 bits", node=fir.label(node), remedy="integerize the model first"
        )
    if array.size == 1:
        return array.reshape(())
    if array.size != channels:
        raise ModelError(
            f"its {what} has {array.size} values for {channels} channels", node=fir.label(node), remedy=EXPORT_AGAIN
        )
    return array.reshape((1, -1) + (1,) * (rank - 2))


def _number(node: ir.Node, name: str, default: int | None) -> int:
    """A whole number that exporters store as an integer, a float or a tensor of one element."""
    attribute = node.attributes.get(name)
    if attribute is None and default is not None:
        return default
    value = None if attribute is None else attribute.value
    if isinstance(value, ir.TensorProtocol):
        value = value.numpy().reshape(-1)[0] if value.size == 1 else None
    if value is None or isinstance(value, str) or np.size(value) != 1 or float(np.asarray(value).reshape(())) % 1:
        raise ModelError(f"its attribute '{name}' is no whole number", node=fir.label(node), remedy="export it again")
    return int(np.asarray(value).reshape(()))
