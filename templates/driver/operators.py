"""The operators that numpy computes of the host's float graphs: those that IEEE arithmetic defines to the last bit, and some others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence

import numpy as np

from .onnxfile import DTYPES, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["AXES", "EXACT", "NUMPY_OPERATORS", "OPERATORS", "axes_of", "axis_list"]

_Operator = Callable[[Node, Sequence[Any], int], Any]
"""Called with a node, its inputs (None where left out) and the batch size."""


def axis_list(node: Node, args: Sequence[Any]) -> List[int]:
    if "axis" in node.attributes:
        return [int(node.attributes["axis"])]
    if "axes" in node.attributes:
        return [int(a) for a in node.attributes["axes"]]
    if len(args) > 1 and args[1] is not None:
        return [int(a) for a in args[1].reshape(-1)]
    return {"Softmax": [-1], "LogSoftmax": [-1], "ArgMax": [0]}.get(node.op, [])


def axes_of(node: Node, args: Sequence[Any], rank: int) -> List[int]:
    return [axis % rank for axis in axis_list(node, args)]


def _clip(node: Node, args: Sequence[Any], frames: int) -> Any:
    x, bounds = args[0], [*args[1:], None, None]
    x = x if bounds[0] is None else np.maximum(x, bounds[0])
    return x if bounds[1] is None else np.minimum(x, bounds[1])


def _div(node: Node, args: Sequence[Any], frames: int) -> Any:
    a, b = args
    return a / b if a.dtype.kind == "f" else np.trunc(a / b).astype(a.dtype)


def _reshape(node: Node, args: Sequence[Any], frames: int) -> Any:
    x, target = args[0], [int(n) for n in args[1]]
    shape = [x.shape[i] if n == 0 else n for i, n in enumerate(target)]
    if frames != 1 and shape[0] in (1, -1):
        shape[0] = frames
    return x.reshape(shape)


def _squeeze(node: Node, args: Sequence[Any], frames: int) -> Any:
    return np.squeeze(args[0], tuple(axes_of(node, args, args[0].ndim)))


def _unsqueeze(node: Node, args: Sequence[Any], frames: int) -> Any:
    x = args[0]
    for axis in sorted(axes_of(node, args, x.ndim + len(axis_list(node, args)))):
        x = np.expand_dims(x, axis)
    return x


def _flatten(node: Node, args: Sequence[Any], frames: int) -> Any:
    axis = int(node.attributes.get("axis", 1))
    outer, inner = args[0].shape[:axis], args[0].shape[axis:]
    return args[0].reshape(int(np.prod(outer, dtype=np.int64)), int(np.prod(inner, dtype=np.int64)))


def _concat(node: Node, args: Sequence[Any], frames: int) -> Any:
    return np.concatenate(args, axis=int(node.attributes["axis"]))


def _argmax(node: Node, args: Sequence[Any], frames: int) -> Any:
    (axis,) = axes_of(node, args, args[0].ndim)
    x = args[0]
    if node.attributes.get("select_last_index"):
        index = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis)
    else:
        index = x.argmax(axis)
    return np.expand_dims(index, axis) if node.attributes.get("keepdims", 1) else index


def _softmax(node: Node, args: Sequence[Any], frames: int) -> Any:
    (axis,) = axes_of(node, args, args[0].ndim)
    shifted = args[0] - args[0].max(axis, keepdims=True)
    total = np.exp(shifted).sum(axis, keepdims=True)
    return shifted - np.log(total) if node.op == "LogSoftmax" else np.exp(shifted) / total


def _reduce(node: Node, args: Sequence[Any], frames: int) -> Any:
    axes = tuple(axes_of(node, args, args[0].ndim))
    if not axes and not node.attributes.get("noop_with_empty_axes"):
        axes = tuple(range(args[0].ndim))
    keep = bool(node.attributes.get("keepdims", 1))
    if node.op in ("ReduceMax", "ReduceMin"):
        return (np.max if node.op == "ReduceMax" else np.min)(args[0], axis=axes, keepdims=keep)
    function = np.mean if node.op == "ReduceMean" else np.sum
    return function(args[0], axis=axes, keepdims=keep, dtype=args[0].dtype)


def _gemm(node: Node, args: Sequence[Any], frames: int) -> Any:
    a, b, get = args[0], args[1], node.attributes.get
    product = (a.T if get("transA") else a) @ (b.T if get("transB") else b) * np.float32(get("alpha", 1.0))
    return product if len(args) < 3 or args[2] is None else product + args[2] * np.float32(get("beta", 1.0))


def _leaky(node: Node, args: Sequence[Any], frames: int) -> Any:
    x = args[0]
    return np.where(x < 0, x.dtype.type(node.attributes.get("alpha", 0.01)) * x, x)


def _elu(node: Node, args: Sequence[Any], frames: int) -> Any:
    x = args[0]
    return np.where(x < 0, x.dtype.type(node.attributes.get("alpha", 1.0)) * np.expm1(np.minimum(x, 0)), x)


def _hard(node: Node, args: Sequence[Any], frames: int) -> Any:
    """HardSigmoid, and HardSwish, which is x times one of slope 1/6."""
    x, get = args[0], node.attributes.get
    swish = node.op == "HardSwish"
    slope, offset = (1 / 6, 0.5) if swish else (get("alpha", 0.2), get("beta", 0.5))
    gate = np.clip(x.dtype.type(slope) * x + x.dtype.type(offset), 0, 1)
    return x * gate if swish else gate


def _pooled(node: Node, args: Sequence[Any], frames: int) -> Any:
    x = args[0]
    return x.mean(axis=tuple(range(2, x.ndim)), keepdims=True, dtype=x.dtype)


def _of(function: Callable[..., Any]) -> _Operator:
    return lambda node, args, frames: function(*args)


def _fold(function: Callable[..., Any]) -> _Operator:
    def folded(node: Node, args: Sequence[Any], frames: int) -> Any:
        result = args[0]
        for arg in args[1:]:
            result = function(result, arg)
        return result

    return folded


EXACT: Dict[str, _Operator] = {
    "Abs": _of(np.abs), "Add": _of(np.add), "And": _of(np.logical_and), "ArgMax": _argmax,
    "Cast": lambda node, args, frames: args[0].astype(DTYPES[node.attributes["to"]]),
    "Ceil": _of(np.ceil), "Clip": _clip, "Concat": _concat,
    "Constant": lambda node, args, frames: node.attributes["value"],
    "Div": _div, "Equal": _of(np.equal),
    "Flatten": _flatten, "Floor": _of(np.floor),
    "Greater": _of(np.greater), "GreaterOrEqual": _of(np.greater_equal), "Identity": _of(lambda x: x),
    "LeakyRelu": _leaky, "Less": _of(np.less), "LessOrEqual": _of(np.less_equal), "Max": _fold(np.maximum), "Min": _fold(np.minimum),
    "Mul": _of(np.multiply), "Neg": _of(np.negative), "Not": _of(np.logical_not), "Or": _of(np.logical_or),
    "Relu": _of(lambda x: np.maximum(x, x.dtype.type(0))), "ReduceMax": _reduce, "ReduceMin": _reduce,
    "Reshape": _reshape, "Round": _of(np.rint),
    "Sign": _of(np.sign), "Sqrt": _of(np.sqrt), "Squeeze": _squeeze, "Sub": _of(np.subtract),
    "Transpose": lambda node, args, frames: args[0].transpose(node.attributes.get("perm")), "Unsqueeze": _unsqueeze,
    "Where": _of(np.where),
}  # fmt: skip
"""Operators whose results IEEE 754 and ONNX define to the last bit."""

OPERATORS: Dict[str, _Operator] = {
    **EXACT,
    "Elu": _elu, "Erf": _of(lambda x: np.vectorize(math.erf, otypes=[x.dtype])(x)), "Exp": _of(np.exp), "Gemm": _gemm,
    "GlobalAveragePool": _pooled, "HardSigmoid": _hard, "HardSwish": _hard, "Log": _of(np.log), "LogSoftmax": _softmax,
    "MatMul": _of(np.matmul), "Pow": lambda node, args, frames: np.power(args[0], args[1]).astype(args[0].dtype),
    "Reciprocal": _of(lambda x: 1 / x), "ReduceMean": _reduce, "ReduceSum": _reduce,
    "Sigmoid": _of(lambda x: 1 / (1 + np.exp(-x))), "Softmax": _softmax,
    "Softplus": _of(lambda x: np.logaddexp(x, x.dtype.type(0))), "Tanh": _of(np.tanh),
}  # fmt: skip

NUMPY_OPERATORS = frozenset(OPERATORS)
"""What runs without onnxruntime."""

AXES = (
    "ArgMax", "LogSoftmax", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Softmax", "Squeeze", "Unsqueeze",
)  # fmt: skip
"""Operators along axes, which may be an attribute or an input."""
