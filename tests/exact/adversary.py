"""Adversaries against the exactness certificate: float32 sums of the same terms in orders chosen to go wrong.

A `Layer` is one quantized linear layer with its tail, written as an ONNX model for the compiler and, apart from it, as arrays for
the adversaries here. What they compute is plain numpy and onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from tests.netbuild import Net

Array = npt.NDArray[Any]
F = np.float32


@dataclass(frozen=True, eq=False)
class Layer:
    """``quantize(relu(bn(x @ w + bias)))`` with integers q in [lo, hi] behind x and integers wq behind w.

    Attributes:
        wq: (outputs, inputs) integers; sw: their scale, () or (outputs,).
        sx, zx, lo, hi: scale, zero point and range of the inputs.
        bias, bn: float32 (outputs,) and (gamma, beta, mean, var), or None.
        so, zo, bits: the quantizer behind it, unsigned behind the ReLU.
    """

    wq: Array
    sw: Array
    sx: float
    zx: int
    lo: int
    hi: int
    so: float
    bits: int
    bias: Array | None = None
    bn: tuple[Array, Array, Array, Array] | None = None
    epsilon: float = 1e-5

    @property
    def outputs(self) -> int:
        return int(self.wq.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.wq.shape[1])

    @cached_property
    def wf(self) -> Array:
        """The float32 weights of the model."""
        column = np.asarray(self.sw, F).reshape(-1, 1)
        return (self.wq.astype(F) * column).astype(F)

    def xf(self, q: Array) -> Array:
        """The float32 activations of the model."""
        return ((q.astype(F) - F(self.zx)) * F(self.sx)).astype(F)

    @cached_property
    def scale(self) -> Array:
        """Value of one integer step of each accumulator, float64 (outputs,)."""
        return np.broadcast_to(np.float64(F(self.sx)) * np.asarray(self.sw, F).astype(np.float64), (self.outputs,))

    def model(self) -> onnx.ModelProto:
        """The layer as a QONNX model: quantizer, MatMul, Add, BatchNormalization, Relu, quantizer, then a small last layer."""
        net = Net([1, self.inputs])
        bits = max(int(self.hi - self.lo).bit_length(), 1)
        x = net.quant(net.x, self.sx, float(self.zx), bits, signed=self.lo < 0)
        w = net.const(self.wf.T, "w")
        scale = np.asarray(self.sw, F)
        w = net.quant(w, scale if scale.ndim == 0 else scale.reshape(1, -1), 0.0, 8)
        y = net.op("MatMul", x, w)
        if self.bias is not None:
            y = net.op("Add", y, net.const(self.bias, "bias"))
        if self.bn is not None:
            y = net.op("BatchNormalization", y, *(net.const(p, "bn") for p in self.bn), epsilon=self.epsilon)
        y = net.quant(net.relu(y), self.so, 0.0, self.bits, signed=False)
        return net.model(net.linear(y, self.outputs, 2, bits=4))

    def tail(self, values: Array, *, fused: bool = False) -> Array:
        """Levels (..., outputs) of float32 sums, by onnxruntime; ``fused``: bias and batch normalization are in the sum already."""
        result: Array = _tail_session(self, fused).run(None, {"v": np.ascontiguousarray(values, F)})[0]
        return result.astype(np.int64)

    def fused(self) -> tuple[Array, Array]:
        """Weights and bias of a runtime that fuses the batch normalization, float32."""
        assert self.bn is not None
        gamma, beta, mean, var = (p.astype(F) for p in self.bn)
        a = (gamma / np.sqrt(var + F(self.epsilon))).astype(F)
        bias = np.zeros(self.outputs, F) if self.bias is None else self.bias.astype(F)
        return (self.wf * a[:, None]).astype(F), ((bias - mean) * a + beta).astype(F)


def _tail_session(layer: Layer, fused: bool) -> ort.InferenceSession:
    nodes, constants, value = [], {}, "v"

    def op(kind: str, *arrays: Array, **attributes: Any) -> None:
        nonlocal value
        names = []
        for array in arrays:
            names.append(f"c{len(constants)}")
            constants[names[-1]] = np.asarray(array, F)
        nodes.append(helper.make_node(kind, [value, *names], [f"t{len(nodes)}"], **attributes))
        value = f"t{len(nodes) - 1}"

    if not fused and layer.bias is not None:
        op("Add", layer.bias)
    if not fused and layer.bn is not None:
        op("BatchNormalization", *layer.bn, epsilon=layer.epsilon)
    op("Relu")
    op("Div", np.asarray(layer.so))
    op("Round")
    op("Clip", np.asarray(0), np.asarray(2**layer.bits - 1))
    graph = helper.make_graph(
        nodes, "tail", [helper.make_tensor_value_info("v", TensorProto.FLOAT, [None, layer.outputs])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [None, layer.outputs])],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def reach(layer: Layer, rows: Array, sums: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Inputs (B, M) whose exact products with the weight rows ``rows`` are ``sums``, large terms of both signs by preference.

    Returns the inputs that were found and which of the B they are.
    """
    found, which = [], []
    for i, (row, total) in enumerate(zip(rows, sums, strict=True)):
        w = layer.wq[row].astype(np.int64)
        ends = np.array([layer.lo, layer.hi])
        # Terms of alternating sign, as large as they can be, so that partial sums grow.
        up = np.where(w > 0, layer.hi, layer.lo)
        q = np.where(rng.random(len(w)) < 0.5, up, ends.sum() - up)
        for _ in range(4):
            for j in rng.permutation(len(w))[np.argsort(-np.abs(w), kind="stable")[: len(w)].argsort()]:
                rest = int(total - (w * (q - layer.zx)).sum())
                if rest == 0:
                    break
                if w[j]:
                    q[j] = int(np.clip(q[j] + int(rest / w[j]), layer.lo, layer.hi))
            small = np.flatnonzero(np.abs(w) == 1)
            for j in small:
                rest = int(total - (w * (q - layer.zx)).sum())
                q[j] = int(np.clip(q[j] + rest * w[j], layer.lo, layer.hi))
        if int((w * (q - layer.zx)).sum()) == total:
            found.append(q)
            which.append(i)
    return np.array(found).reshape(-1, layer.inputs), np.array(which, int)


# Orders. Each takes float32 terms (B, M) and gives float32 sums (B,); every addition rounds once.

Sum = Callable[[Array], Array]


def _in_order(terms: Array, order: Array) -> Array:
    picked = np.take_along_axis(terms, order, axis=1)
    total = picked[:, 0].copy()
    for j in range(1, picked.shape[1]):
        total += picked[:, j]
    return total


def _pairwise(terms: Array) -> Array:
    while terms.shape[1] > 1:
        odd = terms[:, -1:] if terms.shape[1] % 2 else terms[:, :0]
        terms = np.concatenate([terms[:, 0 : terms.shape[1] - 1 : 2] + terms[:, 1::2], odd], axis=1)
    return terms[:, 0]


def _greedy(terms: Array, sign: float, start: int) -> Array:
    """First the ``start`` largest terms of one sign (so that what follows rounds coarsely), then whatever rounds furthest towards ``sign``."""
    rows, count = terms.shape
    order = np.argsort(-terms * sign, axis=1)
    left = np.take_along_axis(terms, order, axis=1).astype(np.float64)
    total = np.zeros(rows, F)
    for j in range(start):
        total = (total + left[:, j].astype(F)).astype(F)
    left = left[:, start:].copy()
    while left.shape[1]:
        exact = total[:, None].astype(np.float64) + left
        rounded = exact.astype(F)
        gain = (rounded.astype(np.float64) - exact) * sign
        best = gain.argmax(axis=1)
        pick = np.arange(rows)
        total = rounded[pick, best]
        left[pick, best] = left[:, -1]
        left = left[:, :-1]
    return total


def orders(count: int, rng: np.random.Generator, *, randoms: int = 6) -> Iterator[tuple[str, Sum]]:
    """Named ways to add ``count`` terms."""
    yield "in order", lambda t: _in_order(t, np.broadcast_to(np.arange(count), t.shape))
    yield "backwards", lambda t: _in_order(t, np.broadcast_to(np.arange(count)[::-1], t.shape))
    yield "ascending", lambda t: _in_order(t, np.argsort(t, axis=1))
    yield "descending", lambda t: _in_order(t, np.argsort(-t, axis=1))
    yield "largest first", lambda t: _in_order(t, np.argsort(-np.abs(t), axis=1))
    yield "smallest first", lambda t: _in_order(t, np.argsort(np.abs(t), axis=1))
    yield "pairwise", _pairwise
    yield "pairwise, sorted", lambda t: _pairwise(np.sort(t, axis=1))
    for i in range(randoms):
        yield f"random {i}", lambda t: _in_order(t, rng.permuted(np.broadcast_to(np.arange(count), t.shape), axis=1))
    for sign in (1.0, -1.0):
        for start in {0, count // 4, count // 2}:
            yield f"greedy {sign:+.0f} after {start}", lambda t, sign=sign, start=start: _greedy(t, sign, start)


def multiply_add(x: Array, w: Array, order: Array) -> Array:
    """Sum with fused multiply-add: the product is not rounded on its own (float64 holds it exactly)."""
    total = np.zeros(len(x), F)
    for j in order:
        total = (total.astype(np.float64) + x[:, j].astype(np.float64) * w[:, j].astype(np.float64)).astype(F)
    return total
