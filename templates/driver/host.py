"""The float parts of a model, head and tail, on the board's processor.

They were cut out of the model with a batch of one. Where all their operators are ones that IEEE arithmetic defines to
the last bit, numpy computes the whole batch at once, bit for bit as onnxruntime does. Otherwise onnxruntime runs them
sample by sample, where it is installed; where it is not (there are no wheels for 32-bit ARM), numpy does as long as it
knows the operators, and its results may differ in the last bits.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Set

import numpy as np

from .onnxfile import DTYPES, Graph, Node, read_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["HostGraph"]

_Operator = Callable[[Node, Sequence[Any], int], Any]
"""Called with a node, its inputs (None where left out) and the batch size."""


class HostGraph:
    """One part of the model.

    Attributes:
        inputs, outputs: names of its tensors, in order.
        engine: "numpy" or "onnxruntime".

    Raises:
        RuntimeError: it needs onnxruntime, which is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._graph = read_graph(path.read_bytes())
        self.inputs = list(self._graph.inputs)
        self.outputs = list(self._graph.outputs)
        known = _batchable(self._graph)
        exact = known and all(node.op in _EXACT for node in self._graph.nodes)
        if exact or (known and not _onnxruntime()):
            self.engine = "numpy"
        elif _onnxruntime():
            self.engine = "onnxruntime"
            self._session = _session(path)
        else:
            raise RuntimeError(
                "{} needs onnxruntime, which is not installed: it has operators unknown to numpy".format(path.name)
            )

    @classmethod
    def load(cls, path: Path) -> Optional[HostGraph]:
        """The part in the file `path`, or None if the model has no such part."""
        return cls(path) if path.exists() else None

    def __call__(self, feeds: Mapping[str, Array]) -> Dict[str, Array]:
        """Outputs by name from inputs by name; the first axis of all is the batch.

        Raises:
            ValueError: an input has the wrong shape.
        """
        ready = {name: self._checked(name, np.asarray(feeds[name])) for name in self.inputs}
        frames = len(next(iter(ready.values()))) if ready else 1
        if self.engine == "numpy":
            return _evaluate(self._graph, ready, frames)
        parts = [
            self._session.run(self.outputs, {name: array[i : i + 1] for name, array in ready.items()})
            for i in range(frames)
        ]
        return {name: _stacked([part[k] for part in parts]) for k, name in enumerate(self.outputs)}

    def _checked(self, name: str, array: Array) -> Array:
        dtype, shape = self._graph.inputs[name]
        if array.shape[1:] != shape[1:]:
            expected = ", ".join(["N", *map(str, shape[1:])])
            raise ValueError("input '{}' has shape {}, must be ({})".format(name, array.shape, expected))
        return array.astype(dtype, copy=False)


def _onnxruntime() -> bool:
    return importlib.util.find_spec("onnxruntime") is not None


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _evaluate(graph: Graph, feeds: Mapping[str, Array], frames: int) -> Dict[str, Array]:
    """The graph's outputs for a batch of `frames`."""
    values: Dict[str, Array] = {**graph.constants, **feeds}
    batched = set(feeds)
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            args = [values[name] if name else None for name in node.inputs]
            moving = bool(batched.intersection(node.inputs))
            values[node.outputs[0]] = np.asarray(_OPERATORS[node.op](node, args, frames if moving else 1))
            batched.update(node.outputs if moving else ())
    return {name: values[name] if name in batched else _stacked([values[name]] * frames) for name in graph.outputs}


def _stacked(parts: List[Array]) -> Array:
    """The results of samples as one array."""
    return np.concatenate(parts) if parts[0].ndim else np.stack(parts)


def _batchable(graph: Graph) -> bool:
    """Whether numpy knows every operator, and the batch stays the first axis of every tensor that depends on an input.

    One sample of zeros is sent through to learn the ranks.
    """
    ranks: Dict[str, int] = {name: array.ndim for name, array in graph.constants.items()}
    ranks.update((name, len(shape)) for name, (_, shape) in graph.inputs.items())
    batched: Set[str] = set(graph.inputs)
    if any(shape[:1] != (1,) for _, shape in graph.inputs.values()):
        return False
    values: Dict[str, Array] = dict(graph.constants)
    values.update((name, np.zeros(shape, dtype)) for name, (dtype, shape) in graph.inputs.items())
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            args = [values[name] if name else None for name in node.inputs]
            if node.domain not in ("", "ai.onnx") or node.op not in _OPERATORS or len(node.outputs) != 1:
                return False
            if batched.intersection(node.inputs):
                if not _keeps_batch(node, args, batched):
                    return False
                batched.add(node.outputs[0])
            result = values[node.outputs[0]] = np.asarray(_OPERATORS[node.op](node, args, 1))
            if node.outputs[0] in batched and result.shape[:1] != (1,):
                return False
    return bool(batched.intersection(graph.outputs))


def _keeps_batch(node: Node, args: Sequence[Any], batched: Set[str]) -> bool:
    """Whether the operator leaves the batch the first axis, given that it is the first one of its inputs."""
    rank = max(a.ndim for name, a in zip(node.inputs, args) if name in batched)
    if node.op == "Concat":
        return batched.issuperset(node.inputs) and int(node.attributes["axis"]) % rank != 0
    if node.op in _AXES:
        axes = _axes(node, args, rank + (len(_axis_list(node, args)) if node.op == "Unsqueeze" else 0))
        return 0 not in axes and bool(axes) and node.inputs[0] in batched
    if node.op == "Reshape":
        target = [int(n) for n in args[1]]
        return node.inputs[1] not in batched and target[:1] in ([0], [1], [-1]) and not node.attributes.get("allowzero")
    if node.op == "Transpose":
        return list(node.attributes.get("perm", []))[:1] == [0]
    if node.op == "Flatten":
        return int(node.attributes.get("axis", 1)) == 1
    if node.op in ("MatMul", "Gemm"):
        return node.inputs[0] in batched and not batched.intersection(node.inputs[1:]) and args[1].ndim == 2
    # Elementwise: all batched operands have the greatest rank, so that their first axes meet.
    ranks = [a.ndim for name, a in zip(node.inputs, args) if name in batched]
    return min(ranks) == rank and all(
        a is None or name in batched or a.ndim < rank or (a.ndim == rank and a.shape[0] == 1)
        for name, a in zip(node.inputs, args)
    )


def _axis_list(node: Node, args: Sequence[Any]) -> List[int]:
    if "axis" in node.attributes:
        return [int(node.attributes["axis"])]
    if "axes" in node.attributes:
        return [int(a) for a in node.attributes["axes"]]
    if len(args) > 1 and args[1] is not None:
        return [int(a) for a in args[1].reshape(-1)]
    return {"Softmax": [-1], "LogSoftmax": [-1], "ArgMax": [0]}.get(node.op, [])


def _axes(node: Node, args: Sequence[Any], rank: int) -> List[int]:
    return [axis % rank for axis in _axis_list(node, args)]


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
    return np.squeeze(args[0], tuple(_axes(node, args, args[0].ndim)))


def _unsqueeze(node: Node, args: Sequence[Any], frames: int) -> Any:
    x = args[0]
    for axis in sorted(_axes(node, args, x.ndim + len(_axis_list(node, args)))):
        x = np.expand_dims(x, axis)
    return x


def _concat(node: Node, args: Sequence[Any], frames: int) -> Any:
    return np.concatenate(args, axis=int(node.attributes["axis"]))


def _argmax(node: Node, args: Sequence[Any], frames: int) -> Any:
    (axis,) = _axes(node, args, args[0].ndim)
    x = args[0]
    if node.attributes.get("select_last_index"):
        index = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis)
    else:
        index = x.argmax(axis)
    return np.expand_dims(index, axis) if node.attributes.get("keepdims", 1) else index


def _softmax(node: Node, args: Sequence[Any], frames: int) -> Any:
    (axis,) = _axes(node, args, args[0].ndim)
    shifted = args[0] - args[0].max(axis, keepdims=True)
    total = np.exp(shifted).sum(axis, keepdims=True)
    return shifted - np.log(total) if node.op == "LogSoftmax" else np.exp(shifted) / total


def _reduce(node: Node, args: Sequence[Any], frames: int) -> Any:
    axes = tuple(_axes(node, args, args[0].ndim))
    function = np.mean if node.op == "ReduceMean" else np.sum
    keep = bool(node.attributes.get("keepdims", 1))
    return function(args[0], axis=axes, keepdims=keep, dtype=args[0].dtype)


def _gemm(node: Node, args: Sequence[Any], frames: int) -> Any:
    a, b, get = args[0], args[1], node.attributes.get
    product = (a.T if get("transA") else a) @ (b.T if get("transB") else b) * np.float32(get("alpha", 1.0))
    return product if len(args) < 3 or args[2] is None else product + args[2] * np.float32(get("beta", 1.0))


def _of(function: Callable[..., Any]) -> _Operator:
    return lambda node, args, frames: function(*args)


def _fold(function: Callable[..., Any]) -> _Operator:
    def folded(node: Node, args: Sequence[Any], frames: int) -> Any:
        result = args[0]
        for arg in args[1:]:
            result = function(result, arg)
        return result

    return folded


_EXACT: Dict[str, _Operator] = {
    "Abs": _of(np.abs), "Add": _of(np.add), "And": _of(np.logical_and), "ArgMax": _argmax,
    "Cast": lambda node, args, frames: args[0].astype(DTYPES[node.attributes["to"]]),
    "Ceil": _of(np.ceil), "Clip": _clip, "Concat": _concat,
    "Constant": lambda node, args, frames: node.attributes["value"],
    "Div": _div, "Equal": _of(np.equal),
    "Flatten": lambda node, args, frames: args[0].reshape(args[0].shape[0], -1), "Floor": _of(np.floor),
    "Greater": _of(np.greater), "GreaterOrEqual": _of(np.greater_equal), "Identity": _of(lambda x: x),
    "Less": _of(np.less), "LessOrEqual": _of(np.less_equal), "Max": _fold(np.maximum), "Min": _fold(np.minimum),
    "Mul": _of(np.multiply), "Neg": _of(np.negative), "Not": _of(np.logical_not), "Or": _of(np.logical_or),
    "Relu": _of(lambda x: np.maximum(x, x.dtype.type(0))), "Reshape": _reshape, "Round": _of(np.rint),
    "Sign": _of(np.sign), "Sqrt": _of(np.sqrt), "Squeeze": _squeeze, "Sub": _of(np.subtract),
    "Transpose": lambda node, args, frames: args[0].transpose(node.attributes["perm"]), "Unsqueeze": _unsqueeze,
    "Where": _of(np.where),
}  # fmt: skip
"""Operators whose results IEEE 754 and ONNX define to the last bit."""

_OPERATORS: Dict[str, _Operator] = {
    **_EXACT,
    "Exp": _of(np.exp), "Gemm": _gemm, "Log": _of(np.log), "LogSoftmax": _softmax, "MatMul": _of(np.matmul),
    "ReduceMean": _reduce, "ReduceSum": _reduce, "Sigmoid": _of(lambda x: 1 / (1 + np.exp(-x))), "Softmax": _softmax,
    "Tanh": _of(np.tanh),
}  # fmt: skip

NUMPY_OPERATORS = frozenset(_OPERATORS)
"""What runs without onnxruntime."""

_AXES = ("ArgMax", "LogSoftmax", "ReduceMean", "ReduceSum", "Softmax", "Squeeze", "Unsqueeze")
