"""What lies between a product and the next quantizer of random nets: batch normalization, activations, constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.fuzz.choices import Tensor
from tests.fuzz.writer import Writer

ACTIVATIONS = {
    "relu": 40, "none": 22, "relu6": 4, "clip": 4, "hardtanh": 5, "leaky": 5, "prelu": 5, "sigmoid": 4, "tanh": 4,
    "hardsigmoid": 3, "hardswish": 4, "swish": 1, "elu": 1,
}  # fmt: skip


def batch_norm(w: Writer, x: Tensor) -> Tensor:
    """Batch normalization with gammas of any sign, now and then zero."""
    c = w.choices
    w.tag("batch norm")
    n, s = x.channels, x.spread
    gamma, beta = w.rng.uniform(0.5, 1.5, n), w.rng.normal(0, 0.5, n)
    mean, var = w.rng.normal(0, 0.5 * s, n), s * s * w.rng.uniform(0.5, 2, n)
    epsilon = c.pick((1e-5, 1e-3))
    if w.exact and c.chance(60):
        gamma, beta, epsilon = 2.0 ** w.rng.integers(-1, 2, n), np.rint(beta * 8) / 8, 0.0
        var = np.full(n, 4.0 ** np.rint(np.log2(s)))
        mean = np.rint(mean * 4) / 4
        w.tag("exact batch norm")
    signs = np.ones(n)
    if c.chance(30):
        w.tag("negative gamma")
        signs = w.rng.choice([-1.0, 1.0], n)
    if c.chance(8):
        w.tag("zero gamma")
        signs[w.rng.integers(n)] = 0
    parameters = [w.const(p.astype(np.float32), "bn") for p in (gamma * signs, beta, mean, var)]
    y = w.op("BatchNormalization", x.name, *parameters, epsilon=epsilon)
    return Tensor(y, x.shape, 1.0, linear=False)


def tensor_norm(w: Writer, x: Tensor) -> Tensor:
    """What Brevitas' TensorNorm exports to: batch normalization of a whole tensor in single operations."""
    w.tag("tensor norm")
    mean, var = w.const(np.float32(0.2 * x.spread)), w.const(np.float32(x.spread**2 + 0.1))
    half, epsilon = w.const(np.float32(0.5)), w.const(np.float32(1e-5))
    deviation = w.op("Pow", w.op("Add", var, epsilon), half)
    y = w.op("Div", w.op("Sub", x.name, mean), deviation)
    y = w.op("Add", w.op("Mul", y, w.const(np.float32(1.25))), w.const(np.float32(-0.3)))
    return Tensor(y, x.shape, 1.0)


def constant_ops(w: Writer, x: Tensor) -> Tensor:
    """One operation with a constant, per tensor or per channel."""
    c = w.choices
    kind = c.pick(("Mul", "Add", "Sub", "Div"))
    w.tag(f"constant {kind}")
    per_channel = c.chance(40)
    shape = (x.channels,) if per_channel else ()
    if kind in ("Mul", "Div"):
        values = w.rng.uniform(0.5, 1.5, shape) if not w.exact else 2.0 ** w.rng.integers(-1, 2, shape)
        if c.chance(15):
            w.tag("negative factor")
            values = -values
    else:
        values = w.rng.normal(0, 0.5 * x.spread, shape)
        values = np.rint(values * 16) / 16 if w.exact else values
    array = np.asarray(values, np.float32)
    constant = w.const(w.column(array, len(x.shape)) if per_channel else array, "k")
    flipped = kind in ("Add", "Mul", "Sub") and c.chance(20)
    y = w.op(kind, *((constant, x.name) if flipped else (x.name, constant)))
    return Tensor(y, x.shape, x.spread, linear=False)


def activation(w: Writer, x: Tensor) -> Tensor:
    """An activation function, or none."""
    c = w.choices
    kind = c.weighted(ACTIVATIONS)
    w.tag(f"activation {kind}")
    if kind == "none":
        return x
    if (
        kind in ("sigmoid", "tanh", "hardsigmoid", "hardswish", "swish", "relu6", "hardtanh")
        and x.spread > 4
        and c.chance(75)
    ):
        factor = w.const(np.float32(2.0 ** np.rint(np.log2(2 / x.spread))), "k")
        x = replace(x, name=w.op("Mul", x.name, factor), spread=2.0)
    name = x.name
    if kind == "relu":
        return Tensor(w.op("Relu", name), x.shape, x.spread, positive=True)
    if kind == "relu6":
        return Tensor(w.clip(name, 0, 6), x.shape, min(x.spread, 4), positive=True)
    if kind == "clip":
        bound = float(np.float32(x.spread))
        return Tensor(w.clip(name, -bound if c.chance(50) else 0.25 * bound, bound), x.shape, x.spread)
    if kind == "hardtanh":
        return Tensor(w.clip(name, -1, 1), x.shape, min(x.spread, 1))
    if kind == "leaky":
        return Tensor(w.op("LeakyRelu", name, alpha=c.pick((0.125, 0.01, 0.2))), x.shape, x.spread)
    if kind == "prelu":
        many = c.chance(50)
        slope = w.rng.uniform(-0.1 if c.chance(30) else 0.05, 0.5, x.channels if many else 1)
        constant = w.floats(slope.reshape((-1,) + (1,) * (len(x.shape) - 2)), "slope")
        return Tensor(w.op("PRelu", name, constant), x.shape, x.spread)
    if kind == "elu":
        return Tensor(w.op("Elu", name, alpha=1.0), x.shape, x.spread)
    if kind == "sigmoid":
        return Tensor(w.op("Sigmoid", name), x.shape, 0.6, positive=True)
    if kind == "tanh":
        return Tensor(w.op("Tanh", name), x.shape, 0.8)
    if kind == "hardsigmoid":
        return Tensor(w.op("HardSigmoid", name, alpha=c.pick((0.2, 1 / 6)), beta=0.5), x.shape, 0.6, positive=True)
    gate = w.op("Sigmoid", name) if kind == "swish" else None
    if kind == "hardswish" and w.opset >= 14 and c.chance(60):
        return Tensor(w.op("HardSwish", name), x.shape, x.spread)
    gate = gate or w.op("HardSigmoid", name, alpha=1 / 6, beta=0.5)
    return Tensor(w.op("Mul", name, gate), x.shape, x.spread)


def between(w: Writer, x: Tensor) -> Tensor:
    """Everything elementwise between a product and its quantizer, in some order."""
    c = w.choices
    x = w.nothing(x)
    order = c.weighted({"norm first": 40, "plain": 35, "activation first": 12, "constants": 10, "tensor norm": 2})
    if order == "norm first":
        return activation(w, batch_norm(w, x))
    if order == "activation first":
        return batch_norm(w, activation(w, x))
    if order == "constants":
        x = constant_ops(w, x)
        x = activation(w, x)
        return constant_ops(w, x) if c.chance(40) else x
    if order == "tensor norm":
        return activation(w, tensor_norm(w, x))
    return activation(w, x)
