"""The QDQ and QCDQ dialects: QuantizeLinear, Clip and DequantizeLinear -> flowc.Quantize and flowc.Dequantize.

Before: QuantizeLinear(x, s, z) -> Clip(., lo, hi) -> DequantizeLinear(., s, z)
After:  Quantize[onnx; lo, hi](x, s, z) -> Dequantize(., s, z)

A Clip behind a QuantizeLinear is how Brevitas writes fewer than 8 bits, and becomes part of the quantizer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.emit import Array, Emitter, Quantizer, checked_scale, constant_input
from flowc.model import ir as fir
from flowc.model.dtypes import IntType

__all__ = [
    "INTEGERS",
    "RANGES",
    "along_axis",
    "dequantize_linear",
    "integer_quantizer",
    "quantize_linear",
    "zero_point_input",
]

RANGES: Final[dict[ir.DataType | None, tuple[int, int]]] = {
    ir.DataType.INT4: (-8, 7),
    ir.DataType.UINT4: (0, 15),
    ir.DataType.INT8: (-128, 127),
    ir.DataType.UINT8: (0, 255),
    ir.DataType.INT16: (-(2**15), 2**15 - 1),
    ir.DataType.UINT16: (0, 2**16 - 1),
}
"""Element types that a quantizer of these dialects gives, and the least and greatest value of each."""
INTEGERS = frozenset({*RANGES, ir.DataType.INT32})
"""Element types that carry quantized integers in these dialects."""


def integer_quantizer(dtype: ir.DataType | None, node: ir.Node, clip: tuple[int, int] | None = None) -> Quantizer:
    """The quantizer onto an ONNX integer type, or onto the part of it that `clip` leaves.

    Raises:
        ModelError: not an integer type, or nothing is left.
    """
    if dtype not in RANGES:
        remedy = "quantize to integers of 4, 8 or 16 bits"
        raise ModelError(f"it quantizes to {dtype}", node=fir.label(node), remedy=remedy)
    lo, hi = RANGES[dtype]
    if clip is not None:
        lo, hi = max(lo, clip[0]), min(hi, clip[1])
    if lo >= hi:
        raise ModelError("a Clip leaves its quantizer one value or none", node=fir.label(node), remedy="widen the Clip")
    kind = IntType.for_range(lo, hi)
    return Quantizer(kind.bits, kind.signed, lo, hi, narrow=lo == -hi, style="onnx")


def zero_point_input(node: ir.Node, index: int) -> Array:
    """The zero point at input `index` as float32; 0 when it is absent.

    Raises:
        ModelError: it is computed at run time.
    """
    if fir.optional(node, index) is None:
        return np.zeros((), np.float32)
    return np.asarray(constant_input(node, index, "zero point")).astype(np.float32)


def along_axis(array: Array, axis: int, rank: int, node: ir.Node) -> Array:
    """A per-channel parameter of shape (C,) at the rank of its tensor, varying along `axis`.

    Raises:
        ModelError: it has more than one dimension (blocked quantization), or the axis does not exist.
    """
    if array.size == 1:
        return array.reshape(())
    if array.ndim != 1 or not -rank <= axis < rank:
        raise ModelError(
            f"its parameter of shape {list(array.shape)} is neither one number nor one per channel",
            node=fir.label(node),
            remedy="quantize per tensor or per channel",
        )
    shape = [1] * rank
    shape[axis % rank] = array.size
    return array.reshape(shape)


def _parameters(node: ir.Node, x: ir.Value) -> tuple[Array, Array]:
    if fir.int_attr(node, "block_size", 0):
        raise ModelError("it quantizes in blocks", node=fir.label(node), remedy="quantize per tensor or per channel")
    rank, axis = len(fir.shape_of(x)), fir.int_attr(node, "axis", 1)
    raw = constant_input(node, 1, "scale")
    if raw.dtype != np.float32:
        raise ModelError(f"its scale is {raw.dtype}", node=fir.label(node), remedy="use float32 scales")
    scale = checked_scale(raw, node)
    return along_axis(scale, axis, rank, node), along_axis(zero_point_input(node, 2), axis, rank, node)


def quantize_linear(emitter: Emitter, node: ir.Node) -> ir.Value:
    """QuantizeLinear, with the Clip that follows it, in front of `node`; returns the integers."""
    x, output = fir.required(node, 0), node.outputs[0]
    if x.dtype != ir.DataType.FLOAT:
        raise ModelError(f"it quantizes a tensor of {x.dtype}", node=fir.label(node), remedy="quantize float32 tensors")
    scale, zero = _parameters(node, x)
    zero_point = fir.optional(node, 2)
    if zero_point is not None:
        dtype = zero_point.dtype
    else:
        dtype = ir.DataType(fir.int_attr(node, "output_dtype", 0) or ir.DataType.UINT8)
    clip = _following_clip(node)
    bounds = _clip_bounds(clip) if clip is not None else None
    q = emitter.quantize(node, x, scale, zero, integer_quantizer(dtype, node, bounds), output.name or "")
    if clip is not None:
        emitter.editor.substitute(clip.outputs[0], q, before=clip)
        _add_origins(q, clip)
        emitter.editor.drop(clip)
    return q


def _add_origins(value: ir.Value, other: ir.Node) -> None:
    """Let the producer of `value` stand for `other` too."""
    producer = value.producer()
    if producer is not None:
        producer.metadata_props[fir.ORIGIN] = fir.origin_text([*fir.origins(producer), *fir.origins(other)])


def _following_clip(node: ir.Node) -> ir.Node | None:
    """The Clip that is the only reader of a QuantizeLinear's output."""
    output = node.outputs[0]
    readers = list(output.uses())
    if len(readers) != 1 or output.is_graph_output() or not fir.is_op(readers[0].node, "Clip"):
        return None
    return readers[0].node if readers[0].idx == 0 and _clip_bounds(readers[0].node) is not None else None


def _clip_bounds(clip: ir.Node) -> tuple[int, int] | None:
    bounds = [-(2**31), 2**31]
    for position in (0, 1):
        value = fir.optional(clip, position + 1)
        if value is None:
            continue
        array = fir.array_of(value)
        if array is None or array.size != 1:
            return None
        bounds[position] = int(array.reshape(()))
    return bounds[0], bounds[1]


def dequantize_linear(emitter: Emitter, node: ir.Node) -> ir.Value:
    """DequantizeLinear of run-time or constant integers, in front of `node`; returns the floats."""
    q, output = fir.required(node, 0), node.outputs[0]
    scale, zero = _parameters(node, q)
    array = fir.array_of(q)
    if array is not None:
        q = emitter.editor.constant(array.astype(np.float32), f"{q.name}/integers")
    return emitter.dequantize(node, q, scale, zero, output.name or "")
