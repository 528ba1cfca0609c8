"""Thresholds by evaluation against the operators themselves: onnxruntime on every integer of the accumulator, then qonnx's quantizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from qonnx.custom_op.general.quant import quant as qonnx_quant

from flowc.exact.choose import as_table, as_thresholds, choose_activation, result_type
from flowc.exact.steps import Steps
from flowc.model.dtypes import BIPOLAR
from tests.exact.analysis import last_activation
from tests.netbuild import Net
from tests.oracle import Array, run_onnxruntime

F = np.float32
CHANNELS = 6
Tail = Callable[[Net, str], str]
QUANTIZER: dict[str, Any] = {"scale": 0.3, "zero_point": 0.0, "bits": 4, "signed": False}


def layer_model(
    tail: Tail, quantizer: dict[str, Any], *, scale: float, weight_scale: float, seed: int = 0
) -> onnx.ModelProto:
    """1 x 1 convolution of 4-bit inputs, the tail, the quantizer."""
    net = Net([1, 3, 2, 2], seed=seed)
    x = net.quant(net.x, scale, 0.0, 4)
    w = net.quant(
        net.const(net.rng.normal(0, 5 * weight_scale, (CHANNELS, 3, 1, 1)), "w"), weight_scale, 0.0, 4, narrow=True
    )
    y = tail(net, net.op("Conv", x, w))
    return net.model(net.bipolar(y) if not quantizer else net.quant(y, **quantizer))


def by_operators(tail: Tail, quantizer: dict[str, Any], acc: Array, unit: Array, seed: int = 0) -> Array:
    """Levels of accumulators (channels, n) by onnxruntime and qonnx."""
    net = Net([1, CHANNELS, 1, acc.shape[1]], seed=seed)
    # The same random constants as in the layer, whose weights are drawn first.
    net.rng.normal(0, 1, (CHANNELS, 3, 1, 1))
    model = net.model(tail(net, net.x))
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    values = (acc.astype(np.float64) * unit).astype(F)[None, :, None, :]
    y = run_onnxruntime(model, {"x": values})[model.graph.output[0].name]
    if not quantizer:
        return np.where(y >= 0, 1, -1)[0, :, 0].astype(np.int64)
    scale, zero = np.asarray(quantizer["scale"], F), np.asarray(quantizer["zero_point"], F)
    arguments = scale, zero, F(quantizer["bits"]), quantizer["signed"], quantizer.get("narrow", False)
    x = qonnx_quant(y, *arguments, quantizer.get("rounding", "ROUND"))
    return np.rint(x / scale + zero)[0, :, 0].astype(np.int64)


def check(tail: Tail, quantizer: dict[str, Any], *, scale: float = 0.31, weight_scale: float = 0.17) -> Steps:
    """Every integer of every channel; returns the steps."""
    unit = 2 if not quantizer else 1
    seen = last_activation(layer_model(tail, quantizer, scale=scale, weight_scale=weight_scale), unit=unit)
    sets = seen.region.sets
    lo, hi = (np.broadcast_to(e, (CHANNELS,)) for e in (seen.steps.lo, seen.steps.hi))
    acc = np.minimum(lo[:, None] + np.arange(int((hi - lo).max()) + 1), hi[:, None])
    wanted = by_operators(tail, quantizer, acc, np.float64(F(scale)) * np.float64(F(weight_scale)))
    rows = np.minimum(np.arange(CHANNELS), sets - 1)
    found = np.stack([seen.steps(np.broadcast_to(acc[c], (sets, acc.shape[1])))[r] for c, r in enumerate(rows)])
    np.testing.assert_array_equal(found, wanted)
    # The hardware forms say the same.
    bipolar = not quantizer
    dtype = result_type(seen.steps, bipolar)
    assert not bipolar or dtype == BIPOLAR
    full = acc if sets > 1 else acc[:1]
    for form in (
        as_thresholds(seen.steps, dtype),
        as_table(seen.steps, dtype),
        choose_activation(seen.steps, bipolar=bipolar),
    ):
        np.testing.assert_array_equal(form.apply(full.T.astype(np.float32)).T, wanted if sets > 1 else wanted[:1])
    return seen.steps


def norm(net: Net, y: str) -> str:
    return net.bn(y, CHANNELS, signs=True)


def per_channel(net: Net, low: float, high: float) -> str:
    return net.const(net.rng.uniform(low, high, (1, CHANNELS, 1, 1)), "c")


TAILS: dict[str, Tail] = {
    "identity": lambda net, y: y,
    "batch norm of any sign, relu": lambda net, y: net.relu(norm(net, y)),
    "relu, batch norm behind it": lambda net, y: norm(net, net.relu(y)),
    "relu6": lambda net, y: net.op("Clip", norm(net, y), net.const(F(0)), net.const(F(6))),
    "hardtanh": lambda net, y: net.op("Clip", y, net.const(F(-1)), net.const(F(1))),
    "leaky relu": lambda net, y: net.op("LeakyRelu", norm(net, y), alpha=0.1),
    "prelu": lambda net, y: net.op("PRelu", y, net.const(net.rng.uniform(0, 0.5, (CHANNELS, 1, 1)), "slope")),
    "prelu that falls": lambda net, y: net.op("PRelu", y, net.const(net.rng.uniform(-1, 0.5, (CHANNELS, 1, 1)), "slope")),
    "sigmoid": lambda net, y: net.op("Sigmoid", norm(net, y)),
    "tanh": lambda net, y: net.op("Tanh", y),
    "hard sigmoid": lambda net, y: net.op("HardSigmoid", y, alpha=1 / 6, beta=0.5),
    "hard swish": lambda net, y: net.op("Mul", y, net.op("HardSigmoid", y, alpha=1 / 6, beta=0.5)),
    "silu": lambda net, y: net.op("Mul", y, net.op("Sigmoid", y)),
    "elu": lambda net, y: net.op("Elu", y),
    "softplus": lambda net, y: net.op("Softplus", y),
    "abs": lambda net, y: net.op("Abs", norm(net, y)),
    "constants": lambda net, y: net.op("Div", net.op("Sub", net.op("Mul", y, per_channel(net, -2, 2)), per_channel(net, -1, 1)),
                                       per_channel(net, 0.5, 2)),
    "constant minus": lambda net, y: net.op("Sub", per_channel(net, -1, 1), y),
    "min and max": lambda net, y: net.op("Max", net.op("Min", y, per_channel(net, 0, 3)), net.const(F(-0.7))),
}  # fmt: skip


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("signed", [False, True])
def test_tails(name: str, signed: bool) -> None:
    steps = check(TAILS[name], QUANTIZER | {"signed": signed})
    assert steps.at.shape[1] >= 1
    rises_and_falls = name in ("hard swish", "silu", "prelu that falls", "abs")
    assert not rises_and_falls or steps.monotone is False or not signed


@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize("powers", [True, False])
def test_rounding_modes(rounding: str, powers: bool) -> None:
    """Scales that are powers of two meet exact ties."""
    quantizer = QUANTIZER | {"scale": 0.5 if powers else 0.37, "rounding": rounding, "signed": True}
    scales = {"scale": 0.25, "weight_scale": 0.5} if powers else {}
    steps = check(TAILS["identity"], quantizer, **scales)
    check(TAILS["batch norm of any sign, relu"], quantizer | {"zero_point": 3.0}, **scales)
    if powers and rounding in ("ROUND", "HALF_UP", "HALF_DOWN"):
        # A level is 4 integers wide, and the tie at integer 2 between 0 and 1 goes by the mode.
        ties = steps(np.array([[2, 6, -2]] * CHANNELS))
        assert (ties == {"ROUND": [0, 2, 0], "HALF_UP": [1, 2, -1], "HALF_DOWN": [0, 1, 0]}[rounding]).all()


@pytest.mark.parametrize(
    ("bits", "signed", "narrow"),
    [(1, False, False), *((b, s, n) for b in (2, 3, 5, 8) for s in (False, True) for n in (False, True))],
)
def test_bits(bits: int, signed: bool, narrow: bool) -> None:
    scale = 12.0 / 2**bits
    quantizer = {"scale": scale, "zero_point": 0.0, "bits": bits, "signed": signed, "narrow": narrow}
    check(TAILS["batch norm of any sign, relu"], quantizer)
    check(TAILS["identity"], quantizer)


@pytest.mark.parametrize("zero", [-3.0, 1.0, 7.0])
def test_zero_points(zero: float) -> None:
    for signed in (False, True):
        check(TAILS["leaky relu"], QUANTIZER | {"zero_point": zero, "signed": signed})


def test_scale_per_channel() -> None:
    scale = np.random.default_rng(3).uniform(0.1, 0.9, (1, CHANNELS, 1, 1)).astype(F)
    check(TAILS["identity"], QUANTIZER | {"scale": scale, "signed": True})
    check(TAILS["batch norm of any sign, relu"], QUANTIZER | {"scale": scale})


@pytest.mark.parametrize(
    "name", ["identity", "batch norm of any sign, relu", "constants", "constant minus", "hard swish"]
)
def test_bipolar(name: str) -> None:
    """+1 from exactly zero on."""
    steps = check(TAILS[name], {})
    if name == "identity":
        assert (steps(np.array([[-1, 0]] * CHANNELS)) == [-1, 1]).all()
