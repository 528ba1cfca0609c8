"""Joins and activations that random nets stumbled over."""

from __future__ import annotations

import numpy as np

from flowc.streamline.compile import compile_model
from flowc.units import Activate, Join, Mvtu, Table
from tests.netbuild import Net
from tests.regressions.exact import assert_exact, grid

F = np.float32


def test_two_level_weights_behind_a_swish() -> None:
    """Of a function that rises and falls every value is looked at: pairs of two small sums, not one of 30 bits."""
    net = Net([1, 5], seed=3)
    w = net.rng.choice([-0.73, 0.0, 0.41], (5, 4)).astype(F)
    y = net.bn(net.op("MatMul", net.quant(net.x, 0.9, bits=3), net.const(w)), 4)
    y = net.quant(net.op("Mul", y, net.op("HardSigmoid", y, alpha=1 / 6, beta=0.5)), 0.17, bits=4)
    assert_exact(net.model(net.linear(y, 4, 2)), grid((8, 5), 0.9, lo=-4, hi=3))


def test_products_that_hit_ties() -> None:
    """Equal products of different factors round differently: the pairs are numbered, and a table follows."""
    net = Net([1, 3, 4, 4], seed=1)
    x = net.quant(net.x, 0.1, bits=8)
    y = net.quant(net.conv(x, 3, 3, 1), 0.1, bits=5)
    model = net.model(net.conv(net.quant(net.op("Mul", x, y), 0.02, bits=8), 3, 2, 1))
    assert_exact(model, grid((4, 3, 4, 4), 0.1, lo=-128, hi=127))
    (join,) = [u for u in compile_model(model).graph if isinstance(u, Join)]
    assert isinstance(join.activation, Table)


def test_an_activation_that_never_moves() -> None:
    """One threshold that is never reached, so that every form has at least one."""
    net = Net([1, 6])
    y = net.quant(net.relu(net.linear(net.quant(net.x, 0.01), 6, 4)), 50.0, signed=False)
    model = net.model(net.linear(y, 4, 2))
    assert_exact(model, grid((4, 6), 0.01))
    levels = [
        u.activation.levels
        for u in compile_model(model).graph
        if isinstance(u, Mvtu | Activate) and u.activation is not None and u.activation.kind == "thresholds"
    ]
    assert levels == [1]
