"""Movement above elementwise operations: every element still meets its own constant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flowc.passes.sink_elementwise import SinkElementwise
from tests.netbuild import Net
from tests.passes.graphs import operators, same_before_and_after
from tests.passes.test_sink_dequantizers import MOVES

F = np.float32

TAILS: dict[str, Callable[[Net, str], str]] = {
    "bias": lambda net, y: net.add(y, net.const(net.rng.normal(0, 1, (1, 4, 1, 1)))),
    "constant first": lambda net, y: net.op("Sub", net.const(net.rng.normal(0, 1, (4, 1, 1))), y),
    "per element": lambda net, y: net.op("Mul", y, net.const(net.rng.uniform(0.5, 1.5, (1, 4, 6, 6)))),
    "relu and clip": lambda net, y: net.op("Clip", net.relu(y), net.const(F(0)), net.const(F(1))),
    "prelu": lambda net, y: net.op("PRelu", y, net.const(net.rng.uniform(0, 1, (4, 1, 1)))),
    "batch norm": lambda net, y: net.bn(y, 4, signs=True),
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("move", [m for m in MOVES if m != "Pad"])
def test_floats_are_the_same(tail: str, move: str) -> None:
    """Bit for bit: the model's own operations on the same values in another place."""
    net = Net([1, 3, 6, 6])
    y = TAILS[tail](net, net.conv(net.quant(net.x), 3, 4, 1))
    step = SinkElementwise()
    model = same_before_and_after(net.model(net.quant(MOVES[move](net, y), 0.01, bits=12)), step)
    kept = (move in ("MaxPool", "Resize") and tail == "per element") or (
        move == "MaxPool" and tail in ("constant first", "batch norm")
    )
    assert step.changed != kept
    if step.changed:
        order = operators(model)
        assert order.index(move) == order.index("Conv") + 1


def test_moves_both_operands_of_a_sum() -> None:
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x)
    step = SinkElementwise()
    model = same_before_and_after(net.model(net.flatten(net.add(net.conv(x, 3, 2), net.conv(x, 3, 2)))), step)
    assert step.changed
    order = operators(model)
    assert order.index("Add") > max(i for i, op in enumerate(order) if op == "Reshape")


def test_passes_a_whole_chain() -> None:
    net = Net([1, 3, 4, 4])
    y = net.relu(net.bn(net.add(net.conv(net.quant(net.x), 3, 4, 1), net.const(F(0.5))), 4))
    step = SinkElementwise()
    model = same_before_and_after(net.model(net.quant(net.flatten(y))), step)
    order = operators(model)
    assert order[order.index("Conv") : order.index("Conv") + 6] == ["Conv", "Reshape", "Add", "Mul", "Add", "Relu"]


def test_other_readers_keep_what_they_read() -> None:
    net = Net([1, 3, 4, 4])
    y = net.relu(net.conv(net.quant(net.x), 3, 4, 1))
    same_before_and_after(net.model(net.quant(net.flatten(y)), net.quant(y, 0.2)), SinkElementwise())
