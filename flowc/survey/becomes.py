"""What an operator would become in hardware, by its kind and place: the first guess of ``flowc info``, before anything is proven."""

from __future__ import annotations

from collections.abc import Collection

import onnx

from flowc.importer.operators import STANDARD, is_qonnx

__all__ = ["HOST", "PRODUCTS", "becomes"]

PRODUCTS = {
    "Conv": (0, 1), "ConvInteger": (0, 1), "ConvTranspose": (0, 1), "Gemm": (0, 1), "MatMul": (0, 1), "MatMulInteger": (0, 1),
    "QGemm": (0, 3), "QLinearConv": (0, 3), "QLinearMatMul": (0, 3),
}  # fmt: skip
"""Operators that multiply, and which of their inputs are the operands."""

_WITH = {
    "ArgMax": "argmax",
    "AveragePool": "window + pool",
    "Concat": "concat",
    "GlobalAveragePool": "global_sum",
    "GlobalMaxPool": "window + pool",
    "MaxPool": "window + pool",
    "Pad": "pad",
    "QLinearAveragePool": "window + pool",
    "QLinearConcat": "concat",
    "QLinearGlobalAveragePool": "global_sum",
    "ReduceMax": "window + pool",
    "ReduceMean": "global_sum",
    "ReduceMin": "window + pool",
    "ReduceSum": "global_sum",
    "Resize": "upsample",
    "Slice": "gather",
    "Split": "split",
    "Upsample": "upsample",
}
_ORDER = frozenset(
    {
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Reshape",
        "SpaceToDepth",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
_NOTHING = frozenset(
    {"Cast", "DequantizeLinear", "Dropout", "Identity", "Constant", "Shape", "Size", "ConstantOfShape"}
)
_JOINS = frozenset({"Add", "Mul", "Sub", "Sum", "QLinearAdd", "QLinearMul"})
_ELEMENTWISE = frozenset(
    {
        "Abs", "Add", "BatchNormalization", "Ceil", "Celu", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
        "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "Pow", "PRelu", "QLinearLeakyRelu", "QLinearSigmoid", "Reciprocal",
        "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
HOST = "host, behind the last quantized layer"
"""What becomes of an operator without hardware that ends the model."""


def becomes(
    node: onnx.NodeProto, constant: Collection[str], kernel: tuple[int, ...] | None, channels: int | None
) -> str | None:
    """The units that a node would become; None where flowc has nothing for it.

    Args:
        constant: names of tensors that depend on no input.
        kernel: shape of the weights of a convolution, where it is known.
        channels: of what it is applied to.
    """
    kind = node.op_type
    running = [name for name in node.input if name and name not in constant]
    if kind in PRODUCTS:
        return _product(node, kernel, channels)
    if is_qonnx(node.domain, kind) or kind == "QuantizeLinear":
        return "activation: thresholds, requantizer or table"
    if kind in _JOINS and len(running) > 1:
        return "join"
    if kind in _ELEMENTWISE:
        return "part of the activation behind it"
    if kind in _WITH:
        return _WITH[kind]
    if kind in _ORDER:
        return "order of elements"
    if kind in _NOTHING:
        return "nothing"
    return HOST if node.domain in ("", "ai.onnx") and kind in STANDARD else None


def _product(node: onnx.NodeProto, kernel: tuple[int, ...] | None, channels: int | None) -> str:
    if "Conv" not in node.op_type:
        return "mvtu"
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    unit = "vvtu" if groups > 1 and groups == channels else "mvtu"
    if node.op_type == "ConvTranspose":
        return f"pad + window + {unit}"
    return f"window + {unit}" if kernel is None or any(k > 1 for k in kernel[2:]) else unit
