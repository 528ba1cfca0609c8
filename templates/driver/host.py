"""The float parts of a model, head and tail, on the board's processor.

They were cut out of the model with a batch of one. Where all their operators are ones that IEEE arithmetic defines to
the last bit, numpy computes the whole batch at once, bit for bit as onnxruntime does. Otherwise onnxruntime runs them
sample by sample, where it is installed; where it is not (there are no wheels for 32-bit ARM), numpy does as long as it
knows the operators, and its results may differ in the last bits. What neither can run is said.
"""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Set

import numpy as np

from .errors import InputError, MissingError
from .onnxfile import Graph, Node, read_graph
from .operators import AXES, EXACT, OPERATORS, axes_of, axis_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["HostGraph"]


class HostGraph:
    """One part of the model.

    Attributes:
        inputs, outputs: names of its tensors, in order.
        engine: "numpy", "onnxruntime", or "none" where it can't run here.
        lacks: why it can't, and what to do; empty where it can.
    """

    def __init__(self, path: Path) -> None:
        self._graph = read_graph(path.read_bytes())
        self.inputs = list(self._graph.inputs)
        self.outputs = list(self._graph.outputs)
        self.lacks = ""
        unknown = _unknown(self._graph)
        self._at_once = not unknown and _batchable(self._graph)
        if self._at_once and all(node.op in EXACT for node in self._graph.nodes):
            self.engine = "numpy"
        elif _onnxruntime():
            self.engine = "onnxruntime"
            self._session = _session(path)
        elif not unknown:
            self.engine = "numpy"
        else:
            self.engine = "none"
            self.lacks = "the model's {} needs onnxruntime for {}, and it is not installed: {}".format(
                path.stem, ", ".join(unknown), _remedy()
            )

    @classmethod
    def load(cls, path: Path) -> Optional[HostGraph]:
        """The part in the file `path`, or None if the model has no such part."""
        return cls(path) if path.exists() else None

    def __call__(self, feeds: Mapping[str, Array]) -> Dict[str, Array]:
        """Outputs by name from inputs by name; the first axis of all is the batch.

        Raises:
            InputError: an input has the wrong shape, or they have different numbers of samples.
            MissingError: it can't run here.
        """
        if self.lacks:
            raise MissingError(self.lacks)
        ready = {name: self._checked(name, np.asarray(feeds[name])) for name in self.inputs}
        counts = {name: len(array) for name, array in ready.items()}
        if len(set(counts.values())) > 1:
            raise InputError("the inputs have different numbers of frames: {}".format(counts))
        frames = next(iter(counts.values()), 1)
        if self._at_once and self.engine == "numpy":
            return _evaluate(self._graph, ready, frames)
        if not frames:  # a sample of zeros says which shapes and types the results have
            one = self({name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in ready.items()})
            return {name: array[:0] for name, array in one.items()}
        parts = [self._one({name: array[i : i + 1] for name, array in ready.items()}) for i in range(frames)]
        return {name: _stacked([part[k] for part in parts]) for k, name in enumerate(self.outputs)}

    def _one(self, sample: Mapping[str, Array]) -> List[Array]:
        if self.engine == "numpy":
            results = _evaluate(self._graph, sample, 1)
            return [results[name] for name in self.outputs]
        found: List[Array] = self._session.run(self.outputs, dict(sample))
        return found

    def _checked(self, name: str, array: Array) -> Array:
        dtype, shape = self._graph.inputs[name]
        if array.shape[1:] != shape[1:]:
            expected = ", ".join(["N", *map(str, shape[1:])])
            raise InputError("input '{}' has shape {}, must be ({})".format(name, array.shape, expected))
        return array.astype(dtype, copy=False)


def _unknown(graph: Graph) -> List[str]:
    """Operators that numpy does not compute here."""
    return sorted(
        {
            node.op
            for node in graph.nodes
            if node.domain not in ("", "ai.onnx") or node.op not in OPERATORS or len(node.outputs) != 1
        }
    )


def _remedy() -> str:
    if struct.calcsize("P") == 8:
        return "pip install onnxruntime"
    return (
        "there is no build of it for 32-bit processors, so run that part elsewhere, on what run_integers() takes and gives, or "
        "export the model without it"
    )


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
            values[node.outputs[0]] = np.asarray(OPERATORS[node.op](node, args, frames if moving else 1))
            batched.update(node.outputs if moving else ())
    return {name: values[name] if name in batched else _stacked([values[name]] * frames) for name in graph.outputs}


def _stacked(parts: List[Array]) -> Array:
    """The results of samples as one array."""
    return np.concatenate(parts) if parts[0].ndim else np.stack(parts)


def _batchable(graph: Graph) -> bool:
    """Whether the batch stays the first axis of every tensor that depends on an input.

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
            if batched.intersection(node.inputs):
                if not _keeps_batch(node, args, batched):
                    return False
                batched.add(node.outputs[0])
            result = values[node.outputs[0]] = np.asarray(OPERATORS[node.op](node, args, 1))
            if node.outputs[0] in batched and result.shape[:1] != (1,):
                return False
    return bool(batched.intersection(graph.outputs))


def _keeps_batch(node: Node, args: Sequence[Any], batched: Set[str]) -> bool:
    """Whether the operator leaves the batch the first axis, given that it is the first one of its inputs."""
    rank = max(a.ndim for name, a in zip(node.inputs, args) if name in batched)
    if node.op == "Concat":
        return batched.issuperset(node.inputs) and int(node.attributes["axis"]) % rank != 0
    if node.op in AXES:
        axes = axes_of(node, args, rank + (len(axis_list(node, args)) if node.op == "Unsqueeze" else 0))
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
