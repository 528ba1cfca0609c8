"""Operations between a quantizer and a product: integers again where every value lies on a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flowc.passes.close_elementwise import CloseElementwise
from tests.netbuild import Net
from tests.passes.graphs import operators, same_before_and_after
from tests.regressions.exact import assert_exact, grid

F = np.float32
Tail = Callable[[Net, str], str]

ON_GRID: dict[str, Tail] = {
    "relu": lambda net, y: net.relu(y),
    "clip": lambda net, y: net.op("Clip", y, net.const(F(-0.5)), net.const(F(0.75))),
    "leaky relu of a power of two": lambda net, y: net.op("LeakyRelu", y, alpha=0.125),
    "prelu": lambda net, y: net.op("PRelu", y, net.const(F([[[0.25]], [[0.5]], [[1.0]], [[0.0625]]]))),
    "bounds": lambda net, y: net.op("Max", net.op("Min", y, net.const(F(1.0))), net.const(F(0.0))),
}
OFF_GRID: dict[str, Tail] = {
    "leaky relu": lambda net, y: net.op("LeakyRelu", y, alpha=0.1),
    "sigmoid": lambda net, y: net.op("Sigmoid", y),
    "clip": lambda net, y: net.op("Clip", y, net.const(F(-0.3)), net.const(F(0.77))),
}
USERS: dict[str, Tail] = {
    "conv": lambda net, y: net.conv(y, 4, 3, 3),
    "average pool": lambda net, y: net.conv(net.quant(net.avgpool(y), 0.3), 4, 2, 1),
    "global average": lambda net, y: net.conv(net.quant(net.op("GlobalAveragePool", y), 0.3), 4, 2, 1),
    "concat": lambda net, y: net.conv(net.concat(y, net.quant(net.x, 0.5)), 8, 3, 1),
    "sum": lambda net, y: net.conv(net.add(y, net.quant(net.x, 0.5)), 4, 3, 1),
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("tail", ON_GRID)
def test_becomes_integers(tail: str, user: str) -> None:
    """Every value of the model stays as it is, and the whole net runs on integers."""
    net = Net([1, 4, 6, 6])
    y = USERS[user](net, ON_GRID[tail](net, net.quant(net.x, 0.25, bits=5)))
    model = net.model(net.quant(y, 0.17))
    step = CloseElementwise()
    changed = same_before_and_after(model, step)
    assert step.changed
    assert operators(changed).count("Quantize") == operators(same_before_and_after(model)).count("Quantize") + 1
    outcome = assert_exact(model, grid((4, 4, 6, 6), 0.2))
    assert outcome.mismatches == 0


@pytest.mark.parametrize("tail", OFF_GRID)
def test_what_lies_on_no_grid_stays(tail: str) -> None:
    net = Net([1, 4, 6, 6])
    step = CloseElementwise()
    same_before_and_after(net.model(net.quant(net.conv(OFF_GRID[tail](net, net.quant(net.x, 0.25)), 4, 2, 1))), step)
    assert not step.changed
    assert "grid" in step.notes[0].text


def test_scales_per_channel_stay_per_channel() -> None:
    """A depthwise layer may take a scale of its own for every channel, through a Relu too."""
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, F([[[0.5]], [[0.3]], [[0.7]], [[0.11]]]))
    model = net.model(net.quant(net.conv(net.relu(x), 4, 4, 3, group=4), 0.21))
    assert assert_exact(model, grid((4, 4, 6, 6), 0.2)).mismatches == 0


def test_a_tensor_and_a_function_of_it() -> None:
    """x * clip(x + 3) depends on one integer: it is left to the quantizer behind it."""
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, 0.25)
    step = CloseElementwise()
    same_before_and_after(net.model(net.quant(net.op("Mul", x, net.op("HardSigmoid", x)), 0.1)), step)
    assert not step.changed
    assert step.notes == []
