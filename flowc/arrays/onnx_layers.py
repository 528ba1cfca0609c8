"""The layers of an ONNX model: every matrix product and convolution in it, quantized or not.

Only shapes matter here, so no weight is looked at and no quantizer understood: QONNX nodes, QuantizeLinear and the rest pass
shapes on. A convolution is a convolution whatever its domain calls it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from flowc.arrays.layers import Layer, Network
from flowc.arrays.onnx_shapes import Shapes, infer
from flowc.errors import ModelError, UnsupportedError, shown

__all__ = ["read_network"]

_AGAIN = "export the model again; onnx.shape_inference.infer_shapes checks its shapes"
_CONV = {"Conv": (0, 1), "FusedConv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3), "ConvTranspose": (0, 1)}
_MATMUL = {
    "MatMul": (0, 1),
    "FusedMatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
    "QLinearMatMul": (0, 3),
    "Gemm": (0, 1),
    "FusedGemm": (0, 1),
    "QGemm": (0, 3),
}
"""Operators that are products, and which inputs are the operands."""

_HIDDEN = frozenset(
    {
        "Attention", "DeformConv", "Einsum", "GRU", "GroupQueryAttention", "If", "LSTM", "LongformerAttention", "Loop",
        "MatMulNBits", "MoE", "MultiHeadAttention", "NhwcConv", "QAttention", "QMoE", "RNN", "Scan", "XnorPopcountMatMul",
    }
)  # fmt: skip
"""Operators that hold products which are not counted."""


def read_network(
    source: str | os.PathLike[str] | onnx.ModelProto, input_shapes: Mapping[str, Sequence[int]] | None = None
) -> Network:
    """The network of a model.

    Args:
        source: path of an ONNX file, or a model in memory.
        input_shapes: shapes of inputs by name, in place of what the model says. A first dimension that stays dynamic is the batch,
            and is 1 here; a batch the model fixes is counted as the model says.

    Raises:
        ModelError: the model can't be read, a shape is dynamic (named, with what to do), or no product is in it.
        UnsupportedError: operators whose products are not counted.
    """
    shapes = infer(source, input_shapes or {})
    hidden = [n for n in shapes.nodes if n.op_type in _HIDDEN or _laid_out_otherwise(n)]
    if hidden:
        raise UnsupportedError(
            [(_label(n), n.op_type, "holds products that are not counted") for n in hidden],
            remedy="Export the model so that its products are MatMul, Gemm or Conv nodes, or give its shapes as a CSV table",
        )
    layers = []
    for node in shapes.nodes:
        if node.op_type in _CONV:
            layers.append(_convolution(node, shapes))
        elif node.op_type in _MATMUL:
            layers += _product(node, shapes)
    if not layers:
        raise ModelError(
            "there is no convolution and no matrix product in the model", remedy="Check that it is the right one"
        )
    return Network(_name(source, shapes), tuple(layers), _notes(shapes))


def _laid_out_otherwise(node: onnx.NodeProto) -> bool:
    """Whether it is one of onnxruntime's products with channels last, or with stacks of transposed matrices."""
    names = ("channels_last", "transBatchA", "transBatchB")
    return node.op_type in {**_CONV, **_MATMUL} and any(_int(node, name, 0) for name in names)


def _name(source: str | os.PathLike[str] | onnx.ModelProto, shapes: Shapes) -> str:
    return shown(shapes.name or "model", 60) if isinstance(source, onnx.ModelProto) else shown(Path(source).stem, 60)


def _notes(shapes: Shapes) -> tuple[str, ...]:
    unknown = sorted(name for name in shapes.unknown if name.rpartition("::")[2] not in {**_CONV, **_MATMUL})
    if not unknown:
        return ()
    return (
        f"operators that flowc does not know are taken to hold no products: {', '.join(shown(n) for n in unknown)}",
    )


def _label(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def _operands(node: onnx.NodeProto, places: tuple[int, int], shapes: Shapes) -> tuple[str, str]:
    names = [node.input[i] if i < len(node.input) else "" for i in places]
    for name in names:
        if not name:
            raise ModelError(f"{node.op_type} lacks an operand", node=_label(node), remedy=_AGAIN)
    for name in names:
        shapes.of(name, _label(node))
    return names[0], names[1]


def _ints(node: onnx.NodeProto, name: str) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), [])


def _int(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), default)


def _convolution(node: onnx.NodeProto, shapes: Shapes) -> Layer:
    label = _label(node)
    x, w = _operands(node, _CONV[node.op_type], shapes)
    data, kernel = shapes.of(x, label), shapes.of(w, label)
    groups = _int(node, "group", 1)
    if len(data) != len(kernel) or len(data) < 3 or groups < 1:
        raise ModelError(
            f"{node.op_type} of a tensor {list(data)} and a kernel {list(kernel)} makes no sense",
            node=label,
            remedy=_AGAIN,
        )
    if node.op_type == "ConvTranspose":
        # Each input pixel times all kernels: K = channels, and results of every kernel element, added up outside.
        if data[1] % groups or kernel[0] != data[1]:
            raise ModelError(f"{data[1]} channels can't be divided into {groups} groups", node=label, remedy=_AGAIN)
        positions = data[0] * math.prod(data[2:])
        results = kernel[1] * math.prod(kernel[2:])
        return Layer.product(label, positions, data[1] // groups, results, groups)
    out = shapes.of(node.output[0], label)
    if kernel[0] % groups or kernel[1] * groups != data[1]:
        raise ModelError(
            f"{data[1]} channels and {kernel[0]} filters can't be divided into {groups} groups",
            node=label,
            remedy=_AGAIN,
        )
    ones = [1] * (len(data) - 2)
    strides, dilations = (_ints(node, name) or ones for name in ("strides", "dilations"))
    if len(strides) != len(ones) or len(dilations) != len(ones):
        raise ModelError(
            f"{node.op_type} has strides or dilations of another rank than its data", node=label, remedy=_AGAIN
        )
    # A 1-D convolution runs along the rows; the outer dimensions of a 3-D one are planes, and more channels of the kernel.
    if len(ones) == 1:
        data, kernel, out, strides, dilations = (*data, 1), (*kernel, 1), (*out, 1), [*strides, 1], [*dilations, 1]
    return Layer(
        label, out[-2], out[-1], kernel[1] * math.prod(kernel[2:-2]), kernel[0] // groups, kernel[-2], kernel[-1],
        strides[-2], strides[-1], dilations[-2], dilations[-1], data[-2], data[-1], groups, data[0] * math.prod(out[2:-2]),
    )  # fmt: skip


def _product(node: onnx.NodeProto, shapes: Shapes) -> list[Layer]:
    label = _label(node)
    first, second = _operands(node, _MATMUL[node.op_type], shapes)
    a, b = list(shapes.of(first, label)), list(shapes.of(second, label))
    if not a or not b:
        raise ModelError(f"{node.op_type} of a scalar", node=label, remedy=_AGAIN)
    a = a if len(a) > 1 else [1, *a]
    b = b if len(b) > 1 else [*b, 1]
    if _int(node, "transA", 0):
        a[-2:] = a[-1], a[-2]
    if _int(node, "transB", 0):
        b[-2:] = b[-1], b[-2]
    if a[-1] != b[-2]:
        raise ModelError(f"{node.op_type} of {list(a)} and {list(b)} does not fit together", node=label, remedy=_AGAIN)
    fixed = [name in shapes.constant for name in (first, second)]
    if all(fixed):
        return []
    if fixed[0]:  # a constant from the left: the transposed product has its weights on the right
        a, b = [*b[:-2], b[-1], b[-2]], [*a[:-2], a[-1], a[-2]]
    batch = _broadcast(a[:-2], b[:-2], label)
    runtime = not any(fixed)
    if not runtime and math.prod(b[:-2]) == 1:
        return [Layer.product(label, batch * a[-2], a[-1], b[-1])]
    return [Layer.product(label, a[-2], a[-1], b[-1], batch, runtime=runtime)]


def _broadcast(first: Sequence[int], second: Sequence[int], label: str) -> int:
    """Products in a stack of two stacks of matrices."""
    total = 1
    for i in range(1, max(len(first), len(second)) + 1):
        sizes = {shape[-i] for shape in (first, second) if len(shape) >= i} - {1}
        if len(sizes) > 1:
            raise ModelError(
                f"stacks of matrices {list(first)} and {list(second)} do not fit together", node=label, remedy=_AGAIN
            )
        total *= max(sizes, default=1)
    return total
