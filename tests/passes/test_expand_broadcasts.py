"""Broadcasting between computed tensors: pixels are repeated, anything else is left and noted."""

from __future__ import annotations

import pytest

from flowc.passes.expand_broadcasts import ExpandBroadcasts
from tests.netbuild import Net
from tests.passes.graphs import operators, same_before_and_after


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("first", [True, False])
def test_one_pixel_to_a_frame(op: str, first: bool) -> None:
    net = Net([1, 3, 4, 6])
    x = net.quant(net.x)
    gate = net.quant(net.op("GlobalAveragePool", x), 0.05)
    sides = (gate, x) if first else (x, gate)
    step = ExpandBroadcasts()
    model = same_before_and_after(net.model(net.quant(net.op(op, *sides))), step)
    assert step.changed
    assert operators(model).count("Resize") == 1


def test_constants_and_equal_shapes_are_left_alone() -> None:
    net = Net([1, 3, 4, 6])
    x = net.quant(net.x)
    y = net.op("Mul", net.add(x, net.relu(x)), net.const([[[[2.0]]]]))
    step = ExpandBroadcasts()
    same_before_and_after(net.model(y), step)
    assert not step.changed
    assert not step.notes


def test_other_broadcasts_are_noted() -> None:
    net = Net([1, 3, 4, 6])
    net.input("b", [1, 1, 4, 6])
    net.input("c", [1, 6])
    y = net.op("Mul", net.op("Mul", net.quant(net.x), net.quant("b")), net.quant("c"))
    step = ExpandBroadcasts()
    same_before_and_after(net.model(y), step)
    assert not step.changed
    assert sorted(n.text for n in step.notes) == [
        "broadcasts (1, 1, 4, 6) to (1, 3, 4, 6), which only pixels can be; expand the tensor in the model (torch: .expand)",
        "broadcasts (1, 6) to (1, 3, 4, 6), which only pixels can be; expand the tensor in the model (torch: .expand)",
    ]
