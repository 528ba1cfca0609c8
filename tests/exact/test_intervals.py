"""Interval evaluation holds every value between two integers; what it can't bound is unbounded, never too narrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact import ops
from flowc.exact.budget import TooLarge
from flowc.exact.intervals import interval
from flowc.exact.steps import steps_by_exhaustion, steps_by_settling, steps_of
from flowc.exact.walk import settle, width
from tests.exact.analysis import last_activation, streamlined
from tests.netbuild import Net

F = np.float32
UNARY: list[tuple[str, dict[str, Any]]] = [
    ("Abs", {}), ("Neg", {}), ("Relu", {}), ("Ceil", {}), ("Floor", {}), ("Round", {}), ("Sign", {}), ("Sqrt", {}), ("Erf", {}),
    ("Exp", {}), ("Log", {}), ("Sigmoid", {}), ("Tanh", {}), ("Softplus", {}), ("Softsign", {}), ("HardSigmoid", {}),
    ("HardSigmoid", {"alpha": -0.3}), ("HardSwish", {}), ("Mish", {}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}),
    ("Reciprocal", {}), ("Elu", {"alpha": -0.7}), ("Elu", {}), ("Selu", {"alpha": -1.1}), ("Celu", {"alpha": 0.8}),
    ("LeakyRelu", {"alpha": -0.4}), ("LeakyRelu", {}), ("ThresholdedRelu", {"alpha": -1.5}), ("ThresholdedRelu", {"alpha": 0.5}),
]  # fmt: skip
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu"]
ends = st.floats(-12, 12, width=32)


def node(op: str, attributes: dict[str, Any], inputs: int = 1) -> ir.Node:
    return ir.node(op, [ir.Value(name=f"x{i}") for i in range(inputs)], attributes)


def column(*values: float) -> Any:
    return np.array(values, F).reshape(-1, 1)


def between(low: float, high: float) -> Any:
    inner = np.linspace(low, high, 200).astype(F)
    return np.clip(np.concatenate([[low, high, np.clip(0, low, high)], inner]).astype(F), F(low), F(high))[None]


@pytest.mark.parametrize(("op", "attributes"), UNARY, ids=[f"{o}{a or ''}" for o, a in UNARY])
@settings(max_examples=25, deadline=None)
@given(a=ends, b=ends)
def test_functions_of_one_value(op: str, attributes: dict[str, Any], a: float, b: float) -> None:
    low, high = sorted((a, b))
    held = interval(node(op, attributes), [(column(low), column(high))])
    values = ops.evaluate(node(op, attributes), [between(low, high)])
    number = ~np.isnan(values)
    assert ((values >= held[0]) & (values <= held[1]))[number].all()
    if not number.all():
        assert held == (column(-np.inf), column(np.inf))


@pytest.mark.parametrize("op", BINARY)
@settings(max_examples=40, deadline=None)
@given(a=ends, b=ends, c=ends, d=ends)
def test_functions_of_two_values(op: str, a: float, b: float, c: float, d: float) -> None:
    (xl, xh), (yl, yh) = sorted((a, b)), sorted((c, d))
    second = column(yl), column(yh)
    if op in ("Pow", "PRelu"):
        second, yh = (column(round(yl)),) * 2, round(yl)
        yl = yh
    held = interval(node(op, {}, 2), [(column(xl), column(xh)), second])
    x, y = between(xl, xh), between(yl, yh)
    values = ops.evaluate(node(op, {}, 2), [x.reshape(-1, 1), y]).reshape(1, -1)
    number = ~np.isnan(values)
    assert ((values >= held[0]) & (values <= held[1]))[number].all()


def activation(kind: str, bits: int = 8, scale: float = 0.0313) -> Any:
    """A net whose last activation rises and falls, behind an unquantized sum."""
    net = Net([1, 24], seed=3)
    y = net.linear(net.quant(net.x, 0.05, bits=7), 24, 6, bits=6, per_channel=True)
    if kind == "silu":
        y = net.op("Mul", y, net.op("Sigmoid", y))
    elif kind == "hard swish":
        y = net.op("Mul", y, net.op("HardSigmoid", y))
    else:
        y = net.op("Abs", net.op("Sub", y, net.const(np.float32(0.7))))
    return net.model(net.quant(y, scale, bits=bits))


@pytest.mark.parametrize("kind", ["silu", "hard swish", "valley"])
def test_settling_finds_what_exhaustion_finds(kind: str) -> None:
    from flowc.exact.intervals import level_bounds, levels_of

    seen = last_activation(activation(kind))
    lo, hi = seen.region.limits(seen.leaf)
    levels, bounds = levels_of(seen.region, seen.leaf), level_bounds(seen.region, seen.leaf)
    walked, settled = steps_by_exhaustion(levels, lo, hi, 1), steps_by_settling(levels, bounds, lo, hi, 1)
    assert (np.asarray(walked.step) < 0).any()
    for a, b in ((walked.at, settled.at), (walked.base, settled.base), (walked.step, settled.step)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["silu", "hard swish", "valley"])
def test_windows_of_what_rises_and_falls(kind: str) -> None:
    """Every integer at which a sum off by the bound is quantized otherwise lies in a window; far from thresholds there is none."""
    seen = last_activation(activation(kind))
    region, leaf = seen.region, seen.leaf
    lo, hi = region.limits(leaf)
    (entry,) = region.dequantized(leaf)
    scale, zero = region.scale(entry)
    assert seen.bound is not None
    q = np.minimum(lo[:, None] + np.arange(int((hi - lo).max()) + 1), hi[:, None])
    low, high = seen.windows(fused=False)
    held = ((q[..., None] >= low[:, None]) & (q[..., None] < high[:, None])).any(axis=2)
    exact = region.evaluate({leaf: q})
    error = seen.bound.at_sets(region).error(q - zero, 0.0, scale[:, 0].astype(np.float64), np.zeros(1))
    for part in np.linspace(-1, 1, 9):
        x = ((q - zero + part * error) * scale).astype(F)
        assert held[region.evaluate({leaf: q}, {entry: x}) != exact].all()
    assert 0 < held.mean() < 0.02


def test_blocks_tile_the_range() -> None:
    rng = np.random.default_rng(0)
    lo, hi = np.array([-1000, 5]), np.array([70000, 5])
    marks = np.sort(rng.integers(-1000, 70000, 40))

    def enclose(rows: Any, first: Any, last: Any) -> Any:
        return np.searchsorted(marks, first, side="right"), np.searchsorted(marks, last, side="right")

    for leaf in (1, 64):
        found = settle(enclose, lo, hi, leaf, 1 << 16)
        assert found is not None
        for row in (0, 1):
            mine = found.rows == row
            first, last = found.first[mine], found.last[mine]
            assert first[0] == lo[row]
            assert last[-1] == hi[row]
            assert (first[1:] == last[:-1] + 1).all()
        assert (found.last - found.first)[found.open_].max(initial=0) < leaf
        step = width(lo, hi)
        assert ((found.first - lo[found.rows]) // step == (found.last - lo[found.rows]) // step).all()
    assert settle(enclose, lo, hi, 64, 3) is None


def test_what_takes_too_long_or_too_much_is_said() -> None:
    def alternating(q: Any, rows: Any) -> Any:
        return q & 1

    def unknown(rows: Any, first: Any, last: Any) -> Any:
        return np.zeros(len(rows), np.int64), np.ones(len(rows), np.int64)

    lo, hi = np.array([-(1 << 40)]), np.array([1 << 40])
    with pytest.raises(TooLarge, match=r"over integers from -1,099,511,627,776 to .* quantize its input first"):
        steps_of(alternating, lo, hi, None, 1, unknown)
    with pytest.raises(TooLarge, match="rises and falls"):
        steps_of(alternating, lo, hi, None, 1)
    for wide in (1000, 1 << 30):
        with pytest.raises(
            TooLarge,
            match=r"passes through 16,777,217 levels in each of 2 parameter sets .* to 16 bits or fewer .*, or give all channels",
        ):
            lo, hi = np.zeros(2, np.int64), np.full(2, wide)
            steps_of(lambda q, rows, top=wide: q * (1 << 24) // top, lo, hi, np.ones(2), 1)


def test_a_level_count_beyond_memory_is_an_error_of_the_model() -> None:
    from flowc.errors import ModelError
    from flowc.streamline.compile import compile_model

    net = Net([1, 16])
    y = net.quant(net.linear(net.quant(net.x, 1 / 15, signed=False), 16, 8), 1e-7, bits=24)
    with pytest.raises(ModelError, match="quantize its result to 16 bits or fewer"):
        compile_model(net.model(net.linear(y, 8, 4)))
    assert streamlined(net.model(y)) is not None
