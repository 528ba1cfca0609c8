"""Adversaries against the exactness certificate: float32 sums of the same terms in orders chosen to go wrong.

A `Layer` is one quantized linear layer with its tail, written as an ONNX model for the compiler and, apart from it, as arrays for
the adversaries here. What they compute is plain numpy and onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
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
        so, bits: the quantizer behind it, unsigned behind the ReLU.
        spelled: batch normalization is written as Mul and Add of constants.
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
    spelled: bool = False

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
        """The layer as a QONNX model: quantizer, MatMul, Add, BatchNormalization, Relu, quantizer."""
        net = Net([1, self.inputs])
        bits = max(int(self.hi - self.lo).bit_length(), 1)
        x = net.quant(net.x, self.sx, float(self.zx), bits, signed=self.lo < 0)
        w = net.const(self.wf.T, "w")
        scale = np.asarray(self.sw, F)
        w = net.quant(w, scale if scale.ndim == 0 else scale.reshape(1, -1), 0.0, 8)
        y = net.op("MatMul", x, w)
        if self.bias is not None:
            y = net.op("Add", y, net.const(self.bias, "bias"))
        if self.bn is not None and self.spelled:
            a, b = self.factors()
            y = net.op("Add", net.op("Mul", y, net.const(a, "a")), net.const(b, "b"))
        elif self.bn is not None:
            y = net.op("BatchNormalization", y, *(net.const(p, "bn") for p in self.bn), epsilon=self.epsilon)
        return net.model(net.quant(net.relu(y), self.so, 0.0, self.bits, signed=False))

    def tail(self, rows: Array, values: Array, *, biased: bool = False, fused: bool = False) -> Array:
        """Levels (B,) of float32 sums at outputs ``rows``, by onnxruntime.

        Args:
            biased: the bias is in the sum already; fused: bias and batch normalization are.
        """
        full = np.zeros((len(rows), self.outputs), F)
        full[np.arange(len(rows)), rows] = values
        levels: Array = _tail_session(self, biased, fused).run(None, {"v": full})[0]
        return levels[np.arange(len(rows)), rows].astype(np.int64)

    def real(self, rows: Array, sums: Array) -> tuple[Array, Array]:
        """In float64: what is rounded by the quantizer for exact sums at outputs ``rows``, and how much it changes per integer."""
        value, slope = sums * self.scale[rows], self.scale[rows]
        if self.bias is not None:
            value = value + self.bias.astype(np.float64)[rows]
        if self.bn is not None:
            gamma, beta, mean, var = (p.astype(np.float64)[rows] for p in self.bn)
            a = gamma / np.sqrt(var + np.float64(F(self.epsilon)))
            value, slope = (value - mean) * a + beta, slope * a
        step = np.float64(F(self.so))
        return np.maximum(value, 0) / step, np.abs(slope) / step

    def normalized(self, rows: Array, values: Array) -> Array:
        """Batch normalization by the formula of the specification, one rounding per operation; float32 sums with bias."""
        assert self.bn is not None
        gamma, beta, mean, var = (p.astype(F)[rows] for p in self.bn)
        return ((values - mean) / np.sqrt(var + F(self.epsilon)) * gamma + beta).astype(F)

    def factors(self) -> tuple[Array, Array]:
        """Batch normalization as a factor and an offset, float32."""
        assert self.bn is not None
        gamma, beta, mean, var = (p.astype(F) for p in self.bn)
        a = (gamma / np.sqrt(var + F(self.epsilon))).astype(F)
        return a, (beta - mean * a).astype(F)

    def fused(self) -> tuple[Array, Array]:
        """Weights and bias of a runtime that fuses the batch normalization, float32."""
        assert self.bn is not None
        _, beta, mean, _ = (p.astype(F) for p in self.bn)
        a, b = self.factors()
        if self.spelled:
            total = b if self.bias is None else (self.bias.astype(F) * a + b).astype(F)
            return (self.wf * a[:, None]).astype(F), total
        bias = np.zeros(self.outputs, F) if self.bias is None else self.bias.astype(F)
        return (self.wf * a[:, None]).astype(F), ((bias - mean) * a + beta).astype(F)


@lru_cache(maxsize=64)
def _tail_session(layer: Layer, biased: bool, fused: bool) -> ort.InferenceSession:
    nodes, constants, value = [], {}, "v"

    def op(kind: str, *arrays: Array, **attributes: Any) -> None:
        nonlocal value
        names = []
        for array in arrays:
            names.append(f"c{len(constants)}")
            constants[names[-1]] = np.asarray(array, F)
        nodes.append(helper.make_node(kind, [value, *names], [f"t{len(nodes)}"], **attributes))
        value = f"t{len(nodes) - 1}"

    if not (biased or fused) and layer.bias is not None:
        op("Add", layer.bias)
    if not fused and layer.bn is not None and layer.spelled:
        a, b = layer.factors()
        op("Mul", a)
        op("Add", b)
    elif not fused and layer.bn is not None:
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
    """Inputs (B, M) whose exact products with the weight rows ``rows`` are ``sums``, of terms as large as can be.

    Returns the inputs that were found and which of the B they are.
    """
    found, which = [], []
    ends = np.array([layer.lo, layer.hi])
    far = ends[np.abs(ends - layer.zx).argmax()]
    for i, (row, total) in enumerate(zip(rows, sums, strict=True)):
        w = layer.wq[row].astype(np.int64)
        q = np.where(rng.random(len(w)) < 0.9, far, rng.integers(layer.lo, layer.hi + 1, len(w)))
        if layer.lo < layer.zx:
            q = rng.choice(ends, len(w))
        # Large weights first bring the sum near, then those of +1 and -1 hit it.
        for j in sorted(rng.permutation(len(w)), key=lambda j: -abs(w[j])):
            rest = int(total - (w * (q - layer.zx)).sum())
            if w[j]:
                q[j] = int(np.clip(q[j] + int(rest / w[j]), layer.lo, layer.hi))
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


def orders(count: int, rng: np.random.Generator, *, randoms: int = 2) -> Iterator[tuple[str, Sum]]:
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
        for start in (0, count // 4, count // 2):
            yield f"greedy {sign:+.0f} after {start}", partial(_greedy, sign=sign, start=start)


def multiply_add(x: Array, w: Array, order: Array) -> Array:
    """Sum with fused multiply-add: the product is not rounded on its own (float64 holds it exactly)."""
    total = np.zeros(len(x), F)
    for j in order:
        total = (total.astype(np.float64) + x[:, j].astype(np.float64) * w[:, j].astype(np.float64)).astype(F)
    return total


def attempts(layer: Layer, q: Array, rows: Array, rng: np.random.Generator) -> Iterator[tuple[str, bool, Array]]:
    """(how, whether batch normalization was fused or rewritten, levels (B,)) of what conforming runtimes may compute.

    Args:
        q: integers of the inputs, (B, M); rows: the output asked for in each.
    """
    x, w = layer.xf(q), layer.wf[rows]
    terms = (x * w).astype(F)
    plain = dict(_sums(terms, rng)) | {"multiply-add": multiply_add(x, w, rng.permutation(layer.inputs))}
    for name, total in plain.items():
        yield name, False, layer.tail(rows, total)
    if layer.bias is not None:
        first = layer.bias.astype(F)[rows]
        for name, total in _sums(np.concatenate([first[:, None], terms], axis=1), rng):
            yield f"{name}, bias among the terms", False, layer.tail(rows, total, biased=True)
    if layer.bn is not None:
        fused, offset = layer.fused()
        terms = (x * fused[rows]).astype(F)
        for name, total in _sums(terms, rng):
            yield f"{name}, fused", True, layer.tail(rows, total + offset[rows], fused=True)
        for name, total in _sums(np.concatenate([offset[rows][:, None], terms], axis=1), rng):
            yield f"{name}, fused, bias among the terms", True, layer.tail(rows, total, fused=True)
        bias = F(0) if layer.bias is None else layer.bias.astype(F)[rows]
        for name, total in plain.items() if not layer.spelled else ():
            yield f"{name}, specification", True, layer.tail(rows, layer.normalized(rows, total + bias), fused=True)


def _sums(terms: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    for name, add in orders(terms.shape[1], rng):
        yield name, add(terms)
