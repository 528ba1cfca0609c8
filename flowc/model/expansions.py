"""flowc's integer operators in standard ONNX: so that the model graph can be executed by onnxruntime after every pass.

Integers are carried as float32 (exact below 2^24); importing this module registers the expanders.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from flowc.model.dtypes import Array
from flowc.model.ir import DOMAIN, array_of, int_attr, ints_attr, is_op, required, shape_of, str_attr
from flowc.model.reference import ExpansionBuilder, register

_WIDE = 1 << 8
_DOUBLE, _FLOAT = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT


def _names(node: ir.Node) -> tuple[list[str], str]:
    return [v.name or "" for v in node.inputs if v is not None], node.outputs[0].name or ""


@register("IntMatMul")
def _matmul(node: ir.Node, builder: ExpansionBuilder) -> None:
    inputs, output = _names(node)
    builder.op("MatMul", inputs, output)


@register("IntConv")
def _conv(node: ir.Node, builder: ExpansionBuilder) -> None:
    inputs, output = _names(node)
    attributes = {name: ints_attr(node, name) for name in ("strides", "dilations")}
    builder.op("Conv", inputs, output, group=int_attr(node, "group", 1), **attributes)


@register("PixelPad")
def _pixel_pad(node: ir.Node, builder: ExpansionBuilder) -> None:
    """[N, C, H, W] -> [N, C, H, 1, W, 1] -> padded to the strides -> reshaped -> the last insertions cut off."""
    (x,), output = _names(node)
    shape = shape_of(required(node, 0))
    strides = ints_attr(node, "strides") or ()
    split = [*shape[:2], *(n for size in shape[2:] for n in (size, 1))]
    y = builder.op("Reshape", [x, builder.constant(np.array(split, np.int64))])
    ends = [0, 0] + [n for s in strides for n in (0, s - 1)]
    pads = builder.constant(np.array([0] * len(split) + ends, np.int64))
    y = builder.op("Pad", [y, pads, builder.constant(np.float32(int_attr(node, "value", 0)))])
    merged = [*shape[:2], *(size * s for size, s in zip(shape[2:], strides, strict=True))]
    y = builder.op("Reshape", [y, builder.constant(np.array(merged, np.int64))])
    bounds = [np.zeros(len(merged)), np.array(shape_of(node.outputs[0])), np.arange(len(merged))]
    builder.op("Slice", [y, *(builder.constant(b.astype(np.int64)) for b in bounds)], output)


@register("SumPool")
def _sum_pool(node: ir.Node, builder: ExpansionBuilder) -> None:
    (x,), output = _names(node)
    channels = shape_of(required(node, 0))[1]
    kernel = ints_attr(node, "kernel_shape") or ()
    ones = builder.constant(np.ones((channels, 1, *kernel), np.float32))
    attributes = {name: ints_attr(node, name) for name in ("strides", "dilations")}
    builder.op("Conv", [x, ones], output, group=channels, **attributes)


@register("GlobalSum")
def _global_sum(node: ir.Node, builder: ExpansionBuilder) -> None:
    (x,), output = _names(node)
    axes = builder.constant(np.arange(2, len(shape_of(required(node, 0))), dtype=np.int64))
    builder.op("ReduceSum", [x, axes], output, keepdims=1)


@register("Join")
def _join(node: ir.Node, builder: ExpansionBuilder) -> None:
    names, output = _names(node)
    if str_attr(node, "op", "add") == "mul":
        sides = [
            builder.op("Sub", [names[i], builder.constant(np.float32(int_attr(node, f"{side}_offset", 0)))])
            for i, side in enumerate(("left", "right"))
        ]
        builder.op("Mul", sides, output)
        return
    column = [-1 if i == int_attr(node, "axis", 1) else 1 for i in range(len(shape_of(required(node, 0))))]
    wide = _is_double(node.outputs[0])
    dtype = np.float64 if wide else np.float32
    factors = [np.asarray(array_of(required(node, i)), dtype).reshape(column) for i in (2, 3)]
    given = [builder.op("Cast", [name], to=_DOUBLE) if wide else name for name in names[:2]]
    sides = [builder.op("Mul", [name, builder.constant(f)]) for name, f in zip(given, factors, strict=True)]
    builder.op("Add", sides, output)


def _is_double(value: ir.Value) -> bool:
    """Whether a join's sums may leave what float32 holds: they are then carried as float64 to the activation behind it."""
    node = value.producer()
    if node is None or not is_op(node, "Join", DOMAIN) or str_attr(node, "op", "add") == "mul":
        return False
    largest = max(float(np.abs(np.asarray(array_of(required(node, i)))).max()) for i in (2, 3))
    users = {u.node.op_type for u in value.uses()}
    wide = largest >= _WIDE or any(_is_double(v) for v in node.inputs[:2] if v is not None)
    return wide and bool(users) and users <= {"Dequantize", "Join", "Requant", "Threshold"}


def _sets(node: ir.Node, array: Array, trailing: bool) -> Array:
    """Parameters (sets, ...) laid out to broadcast against the tensor, parameters of one set along a last axis."""
    shape = shape_of(node.outputs[0])
    axes = ints_attr(node, "axes") or ()
    layout = [n if axis in axes and array.shape[0] > 1 else 1 for axis, n in enumerate(shape)]
    return array.reshape([*layout, array.shape[1]] if trailing else layout)


@register("Threshold")
def _threshold(node: ir.Node, builder: ExpansionBuilder) -> None:
    names, output = _names(node)
    values, base, step = (np.asarray(array_of(required(node, i))) for i in (1, 2, 3))
    steps = _sets(node, np.broadcast_to(step, values.shape).astype(np.float32), True)
    x = builder.op("Unsqueeze", [names[0], builder.constant(np.array([-1], np.int64))])
    dtype = np.float64 if _is_double(required(node, 0)) else np.float32
    above = builder.op("GreaterOrEqual", [x, builder.constant(_sets(node, values, True).astype(dtype))])
    rise = builder.op("Mul", [builder.op("Cast", [above], to=_FLOAT), builder.constant(steps)])
    total = builder.op("ReduceSum", [rise, builder.constant(np.array([-1], np.int64))], keepdims=0)
    builder.op("Add", [total, builder.constant(_sets(node, base, False).astype(np.float32))], output)


@register("Requant")
def _requant(node: ir.Node, builder: ExpansionBuilder) -> None:
    names, output = _names(node)
    mult, add = (_sets(node, np.asarray(array_of(required(node, i)), np.float64), False) for i in (1, 2))
    x = builder.op("Cast", [names[0]], to=_DOUBLE)
    wide = builder.op("Add", [builder.op("Mul", [x, builder.constant(mult)]), builder.constant(add)])
    shift = int_attr(node, "shift", 0)
    scaled = builder.op("Mul", [wide, builder.constant(np.float64(0.5**shift))])
    whole = builder.op("Round" if int_attr(node, "half_even", 0) else "Floor", [scaled])
    least, greatest = int_attr(node, "least", 0), int_attr(node, "greatest", 0)
    if len(node.inputs) > 3:
        whole = builder.op("Sub", [whole, _early(node, builder, wide, whole, mult, least, greatest)])
    bounds = [builder.constant(np.float32(v)) for v in (least, greatest)]
    builder.op("Clip", [builder.op("Cast", [whole], to=_FLOAT), *bounds], output)


def _early(
    node: ir.Node, builder: ExpansionBuilder, wide: str, whole: str, mult: Array, least: int, greatest: int
) -> str:
    """1.0 (double) where a level was entered too early, else 0.0: see `flowc.units.activation.Requant`."""
    one = builder.constant(np.float64(2.0 ** int_attr(node, "shift", 0)))
    rest = builder.op("Sub", [wide, builder.op("Mul", [whole, one])])
    inside = builder.op("LessOrEqual", [whole, builder.constant(np.float64(greatest))])
    above = builder.op("Greater", [whole, builder.constant(np.float64(least))])
    late = np.asarray(array_of(required(node, 3)), np.float64)
    index = builder.op("Sub", [whole, builder.constant(np.float64(least + 1))])
    index = builder.op(
        "Clip", [index, builder.constant(np.float64(0)), builder.constant(np.float64(late.shape[1] - 1))]
    )
    if late.shape[0] > 1:
        start = _sets(node, np.arange(late.shape[0], dtype=np.float64) * late.shape[1], False)
        index = builder.op("Add", [index, builder.constant(start)])
    index = builder.op("Cast", [index], to=onnx.TensorProto.INT64)
    reach = builder.op(
        "Mul",
        [builder.op("Gather", [builder.constant(late.reshape(-1)), index], axis=0), builder.constant(np.abs(mult))],
    )
    just = builder.op("Less", [rest, reach])
    entered = builder.op("And", [just, builder.op("And", [inside, above])])
    return builder.op("Cast", [entered], to=_DOUBLE)


@register("Lookup")
def _lookup(node: ir.Node, builder: ExpansionBuilder) -> None:
    (index, table), output = _names(node)
    rows = builder.op("Cast", [index], to=onnx.TensorProto.INT64)
    builder.op("Gather", [table, rows], output, axis=0)


@register("Table")
def _table(node: ir.Node, builder: ExpansionBuilder) -> None:
    names, output = _names(node)
    values = np.asarray(array_of(required(node, 1)), np.float32)
    index = builder.op("Sub", [names[0], builder.constant(np.float32(int_attr(node, "first", 0)))])
    if values.shape[0] > 1:
        start = _sets(node, np.arange(values.shape[0], dtype=np.float32) * values.shape[1], False)
        index = builder.op("Add", [index, builder.constant(start)])
    index = builder.op("Cast", [index], to=onnx.TensorProto.INT64)
    builder.op("Gather", [builder.constant(values.reshape(-1)), index], output, axis=0)
