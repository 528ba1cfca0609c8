"""The model's elementwise float32 operations, evaluated exactly as a conforming runtime does.

Arithmetic (add, multiply, divide, compare, round) is prescribed by IEEE 754 and done in numpy float32, one rounding per
operation. Functions whose last bit is an implementation's choice (sigmoid, tanh, ...) are evaluated by onnxruntime itself.
Each operation also says in which direction it is monotone, where that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx_ir as ir

from flowc.model.ir import DOMAIN, float_attr, int_attr, str_attr
from flowc.model.quantizers import dequantized, quantizer
from flowc.units.base import Array

__all__ = [
    "Function", "axis_aligned", "direction", "evaluate", "is_elementwise", "left_open", "nudged", "prepared", "ripple", "split", "widened",
]  # fmt: skip

Function = Callable[..., Array]
"""An operation whose attributes are known, of its inputs one by one."""


def _quantizer(node: ir.Node) -> Function:
    lo, hi = int_attr(node, "lo", 0), int_attr(node, "hi", 0)
    return quantizer(lo=lo, hi=hi, rounding=str_attr(node, "rounding", "ROUND"), style=str_attr(node, "style", "qonnx"))


def _normal(node: ir.Node, gamma: Array, beta: Array, mean: Array, var: Array) -> tuple[Array, Array]:
    """What a batch normalization multiplies by and adds, as onnxruntime computes it unfused, operation for operation."""
    inv = np.float32(1) / np.sqrt(var + np.float32(float_attr(node, "epsilon", 1e-5)))
    a = inv * gamma
    return a, beta - mean * a


def _scaled(x: Array, a: Array, b: Array) -> Array:
    return x * a + b


def _batchnorm(node: ir.Node, args: Sequence[Array]) -> Array:
    return _scaled(args[0], *_normal(node, *args[1:]))


def _clip(_: ir.Node, args: Sequence[Any]) -> Array:
    x = args[0]
    if len(args) > 1 and args[1] is not None:
        x = np.maximum(x, args[1])
    if len(args) > 2 and args[2] is not None:
        x = np.minimum(x, args[2])
    return x


def _fold(function: Callable[[Array, Array], Array]) -> Callable[[ir.Node, Sequence[Array]], Array]:
    def run(_: ir.Node, args: Sequence[Array]) -> Array:
        out = args[0]
        for other in args[1:]:
            out = function(out, other)
        return out

    return run


_NUMPY: dict[str, Callable[[ir.Node, Sequence[Array]], Array]] = {
    "Abs": lambda n, a: np.abs(a[0]),
    "Add": lambda n, a: a[0] + a[1],
    "BatchNormalization": _batchnorm,
    "Ceil": lambda n, a: np.ceil(a[0]),
    "Clip": _clip,
    "Div": lambda n, a: a[0] / a[1],
    "Floor": lambda n, a: np.floor(a[0]),
    "LeakyRelu": lambda n, a: np.where(a[0] >= 0, a[0], a[0] * np.float32(float_attr(n, "alpha", 0.01))),
    "Max": _fold(np.maximum),
    "Min": _fold(np.minimum),
    "Mul": lambda n, a: a[0] * a[1],
    "Neg": lambda n, a: -a[0],
    "PRelu": lambda n, a: np.where(a[0] >= 0, a[0], a[0] * a[1]),
    "Relu": lambda n, a: np.maximum(a[0], np.float32(0)),
    "Round": lambda n, a: np.rint(a[0]),
    "Sign": lambda n, a: np.sign(a[0]),
    "Sqrt": lambda n, a: np.sqrt(a[0]),
    "Sub": lambda n, a: a[0] - a[1],
}
# Evaluated by onnxruntime; the value says whether the function is nondecreasing (its floats may ripple by what `nudged` leaves open).
RUNTIME = {
    "Celu": True, "Elu": True, "Erf": True, "Exp": True, "Gelu": False, "HardSigmoid": True, "HardSwish": False,
    "Log": True, "Mish": False, "Pow": False, "Reciprocal": False, "Selu": True, "Sigmoid": True, "Softplus": True,
    "Softsign": True, "Swish": False, "Tanh": True, "ThresholdedRelu": True,
}  # fmt: skip
_BOUNDED = {"Erf": (-1, 1), "HardSigmoid": (0, 1), "Sigmoid": (0, 1), "Softsign": (-1, 1), "Tanh": (-1, 1)}
_SIGNED = {"Elu", "HardSigmoid", "Selu", "ThresholdedRelu"}
"""Rise only where no attribute of theirs is negative."""
_NONDECREASING = {"Ceil", "Floor", "Relu", "Round", "Sqrt", "Clip", "Sign"}


def is_elementwise(node: ir.Node) -> bool:
    """Whether the node is an elementwise operation that can be evaluated here."""
    if node.domain == DOMAIN:
        return node.op_type in ("Quantize", "Dequantize")
    return node.domain == "" and (node.op_type in _NUMPY or node.op_type in RUNTIME)


@lru_cache(maxsize=256)
def _session(op: str, inputs: int, attributes: tuple[tuple[str, Any], ...]) -> Any:
    import onnx
    import onnxruntime as ort

    names = [f"x{i}" for i in range(inputs)]
    node = onnx.helper.make_node(op, names, ["y"], **dict(attributes))
    infos = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None, None]) for n in names]
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, None])
    graph = onnx.helper.make_graph([node], "op", infos, [out])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _by_runtime(node: ir.Node, args: Sequence[Array]) -> Array:
    attributes = []
    for name, attr in sorted(node.attributes.items()):
        attributes.append((name, tuple(attr.value) if isinstance(attr.value, (list, tuple)) else attr.value))
    session = _session(node.op_type, len(args), tuple(attributes))
    feeds = {f"x{i}": np.ascontiguousarray(a, np.float32) for i, a in enumerate(args)}
    out: Array = session.run(None, feeds)[0]
    return out


def evaluate(node: ir.Node, args: Sequence[Any]) -> Array:
    """The node's float32 result on arrays that broadcast against each other (2-D: parameter sets, values)."""
    with np.errstate(all="ignore"):
        return prepared(node)(*args)


def prepared(node: ir.Node) -> Function:
    """What `evaluate` computes, its attributes read once; floating-point errors are the caller's to ignore."""
    if node.domain == DOMAIN:
        return _quantizer(node) if node.op_type == "Quantize" else dequantized
    function = _NUMPY.get(node.op_type)
    if function is None:
        return lambda *args: _by_runtime(node, args)

    def run(*args: Any) -> Array:
        out = function(node, args)
        return out if out.dtype == np.float32 else out.astype(np.float32)

    return run


def split(node: ir.Node, constants: Sequence[Array | None]) -> tuple[Function, list[Array]] | None:
    """The operation in two parts: what follows from its constants alone, computed here, and a function of its input and that.

    None where there is no such part. The same operations in the same order, so the same float32 results: a batch normalization computes
    its factor and its offset from four constants, whatever it is applied to.

    Args:
        constants: the inputs behind the first; None for those that are not constant.
    """
    known = [c for c in constants if c is not None]
    if (
        node.domain
        or node.op_type != "BatchNormalization"
        or len(known) < 4
        or any(c.dtype != np.float32 for c in known)
    ):
        return None
    with np.errstate(all="ignore"):
        return _scaled, [*_normal(node, *known)]


def left_open(node: ir.Node) -> bool:
    """Whether the last bits of a node's results are the runtime's choice."""
    return node.domain == "" and node.op_type in RUNTIME


def ripple(node: ir.Node, magnitude: Array, result: Array) -> Array | None:
    """How far off a runtime's result of a function may be whose last bits are not prescribed; None where they are.

    8 floats and 2^-22 of the argument's magnitude (of 1 at least): twice what onnxruntime itself lies off the true value, at most.
    Bounded functions are flat where arguments are large: a magnitude of 4 serves for all beyond it.
    """
    if not left_open(node):
        return None
    reach = np.clip(magnitude, 1, 4 if node.op_type in _BOUNDED else None).astype(np.float32)
    wide: Array = 8 * np.spacing(np.abs(result)) + np.float32(2.0**-22) * reach
    return wide


def nudged(node: ir.Node, args: Sequence[Any], result: Array, sign: int) -> Array:
    """``result`` further down (sign -1) or up (+1), as far as the runtime's choice of its last bits may take it."""
    wide = ripple(node, np.abs(args[0]), result)
    if wide is None:
        return result
    return np.clip(result + np.float32(sign) * wide, *_bounds_of(node))


def widened(node: ir.Node, magnitude: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds of a function's results that hold for every runtime: ``low`` and ``high`` at extremes, moved apart by the ripple."""
    wide = ripple(node, magnitude, np.maximum(np.abs(low), np.abs(high)))
    if wide is None:
        return low, high
    return np.clip(low - wide, *_bounds_of(node)), np.clip(high + wide, *_bounds_of(node))


def _bounds_of(node: ir.Node) -> tuple[np.float32, np.float32]:
    """A runtime's approximation may leave a function's range by a few floats (onnxruntime's Tanh exceeds 1)."""
    least, most = _BOUNDED.get(node.op_type, (-np.inf, np.inf))
    return np.float32(least * (1 + 2.0**-21)), np.float32(most * (1 + 2.0**-21))


def direction(node: ir.Node, args: Sequence[Array | None], moving: int) -> Array | None:
    """+1, 0 or -1 per parameter set: how the node's result follows its input number ``moving``, None if not known.

    ``args`` are the constant inputs (None for the moving one).
    """
    op = node.op_type
    one = np.ones((1, 1))
    if op in ("Add", "Max", "Min"):
        return one
    if op == "Sub":
        return one if moving == 0 else -one
    if op == "Neg":
        return -one
    if op == "Mul":
        other = args[1 - moving]
        return None if other is None else np.sign(other)
    if op == "Div":
        divisor = args[1]
        return None if moving != 0 or divisor is None else np.sign(divisor)
    if op == "BatchNormalization":
        gamma = args[1]
        return None if gamma is None else np.sign(gamma)
    if op == "LeakyRelu":
        return one if float_attr(node, "alpha", 0.01) >= 0 else None
    if op == "PRelu":
        slope = args[1]
        return one if slope is not None and (slope >= 0).all() else None
    if op == "Quantize" and str_attr(node, "style", "") == "levels":
        return one
    if op == "Quantize" and str_attr(node, "style", "") == "shift":
        factor = args[3]
        return None if factor is None else np.sign(factor)
    if op in ("Quantize", "Dequantize"):
        scale = args[1]
        return None if scale is None else np.sign(scale)
    if op in _SIGNED and any(float_attr(node, name, 1.0) < 0 for name in ("alpha", "gamma")):
        return None
    if op in _NONDECREASING or RUNTIME.get(op):
        return one if moving == 0 else None
    return None


def axis_aligned(node: ir.Node, index: int) -> bool:
    """Whether input ``index`` is a vector along axis 1 (batch normalization) instead of broadcasting from the right."""
    return node.op_type == "BatchNormalization" and index > 0
