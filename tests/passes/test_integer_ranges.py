"""Integer ranges hold everything that occurs, and are met."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.ir import DOMAIN, remove_dead
from flowc.model.reference import Reference
from flowc.passes.fold_activations import FoldActivations
from flowc.passes.integer_ranges import integer_ranges, product_range
from tests.exact.analysis import streamlined
from tests.netbuild import Net
from tests.passes.graphs import random_inputs


def measured(net: Net, y: str, samples: int = 200) -> dict[str, tuple[Any, Any]]:
    """Every integer tensor's values on random and extreme inputs lie in its range; returns the ranges."""
    model = streamlined(net.model(y))
    ranges = integer_ranges(model.graph)
    inputs = random_inputs(model, samples)
    for array in inputs.values():
        array[0], array[1] = 100, -100
    names = [v.name or "" for v in ranges]
    results = Reference(model, outputs=names).run(inputs)
    for value, (lo, hi) in ranges.items():
        found = results[value.name or ""]
        assert lo.ndim == hi.ndim == found.ndim
        assert (found >= lo).all(), value.name
        assert (found <= hi).all(), value.name
    return {v.name or "": r for v, r in ranges.items()}


def test_quantizers_and_movement() -> None:
    net = Net([1, 3, 4, 4])
    y = net.maxpool(net.quant(net.x, 0.3, 2.0, narrow=True))
    y = net.op(
        "Pad",
        net.concat(y, net.maxpool(net.quant(net.x, 0.2, bits=2, signed=False))),
        net.const(np.array([0, 0, 1, 1, 0, 0, 1, 1])),
    )
    measured(net, net.quant(y, 0.5))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2), st.booleans(), st.integers(0, 2), st.sampled_from([0.0, 2.0]), st.integers(0, 99))
def test_products_hold_every_partial_sum(group: int, signed: bool, pads: int, zero: float, seed: int) -> None:
    net = Net([1, 4, 5, 5], seed=seed)
    x = net.quant(net.x, 0.3, zero, signed=signed)
    y = net.conv(x, 4, 6, group=group, pads=[pads] * 4)
    ranges = measured(net, net.quant(y), samples=30)
    (lo, hi), *_ = [r for name, r in ranges.items() if name.endswith("/acc")]
    assert lo.shape == hi.shape == (1, 6, 1, 1)
    assert (lo <= 0).all()
    assert (hi >= 0).all()


def test_the_range_of_a_product_is_reached() -> None:
    """Inputs at the extremes that each output's weights ask for."""
    net = Net([1, 6])
    w = net.rng.integers(-7, 8, (6, 4))
    y = net.op("MatMul", net.quant(net.x, 1.0), net.quant(net.const(w.astype(np.float32)), 1.0))
    ranges = measured(net, net.quant(y))
    (lo, hi), *_ = [r for name, r in ranges.items() if name.endswith("/acc")]
    np.testing.assert_array_equal(hi[0], np.where(w > 0, 7 * w, -8 * w).sum(axis=0))
    np.testing.assert_array_equal(lo[0], np.where(w > 0, -8 * w, 7 * w).sum(axis=0))


@pytest.mark.parametrize("op", ["average", "global", "add", "sub", "mul"])
def test_pools_and_joins(op: str) -> None:
    net = Net([1, 4, 4, 4])
    a, b = net.quant(net.x, 0.5, 1.0), net.quant(net.op("Neg", net.x), 0.75, -2.0)
    y = {
        "average": lambda: net.avgpool(a, 3),
        "global": lambda: net.op("GlobalAveragePool", a),
        "add": lambda: net.conv(net.add(a, b), 4, 2, 1),
        "sub": lambda: net.conv(net.op("Sub", a, b), 4, 2, 1),
        "mul": lambda: net.conv(net.op("Mul", a, b), 4, 2, 1),
    }[op]()
    measured(net, net.quant(y, 0.5))


def test_transposed_convolution() -> None:
    net = Net([1, 4, 4, 4])
    measured(net, net.quant(net.conv_transpose(net.quant(net.x, 0.5, 3.0), 4, 2, strides=[2, 2])))


def test_partial_sums_of_inputs_above_zero() -> None:
    """Results of a sigmoid never reach zero; the accumulator begins there all the same."""
    net = Net([1, 4, 3, 3])
    x = net.quant(net.op("Sigmoid", net.quant(net.x, 0.3)), 0.05, bits=5, signed=False)
    for y in (net.op("Conv", x, net.quant(net.const(np.ones((2, 4, 1, 1))), 1.0)),
              net.op("MatMul", net.flatten(x), net.quant(net.const(np.ones((36, 2))), 1.0))):  # fmt: skip
        model = streamlined(net.model(net.quant(y)))
        FoldActivations()(model)
        remove_dead(model.graph)
        ranges = integer_ranges(model.graph)
        ((lo, hi),) = [ranges[n.outputs[0]] for n in model.graph if n.op_type in ("IntConv", "IntMatMul")]
        least, most = next(r for v, r in ranges.items() if v.producer().op_type in ("Table", "Threshold", "Requant"))  # type: ignore[union-attr]
        assert least.min() > 0
        taps = 4 if lo.ndim == 4 else 36
        assert lo.reshape(-1).tolist() == [0, 0]
        assert hi.reshape(-1).tolist() == [taps * int(most.max())] * 2


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("uniform", [True, False])
def test_counted_weights_give_the_range_of_their_terms(uniform: bool, group: int) -> None:
    """As many inputs as weights have values, and ends that differ between channels, or do not."""
    rng = np.random.default_rng(group)
    weights = rng.integers(-3, 4, (6, 4, 3, 3)).astype(np.float32)
    lo, hi = (rng.integers(*ends, (1, 4 * group, 1, 1)) for ends in ((-4, 2), (2, 9)))
    if uniform:
        lo, hi = np.full_like(lo, -2), np.full_like(hi, 5)
    node = ir.node("IntConv", [None, None], {"group": group}, domain=DOMAIN)
    least, most = product_range(node, weights, lo, hi)
    for output in range(6):
        channels = slice(output // (6 // group) * 4, output // (6 // group) * 4 + 4)
        ends = [weights[output] * e[0, channels] for e in (lo, hi)]
        assert least[0, output] == np.minimum(np.minimum(*ends), 0).sum()
        assert most[0, output] == np.maximum(np.maximum(*ends), 0).sum()
