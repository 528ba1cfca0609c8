"""Sums and products of two tensors whose result is needed as an integer."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.model.ir import array_of, int_attr
from flowc.passes.integer_joins import IntegerJoins
from flowc.passes.remedies import WHOLE_ZERO
from tests.netbuild import Net
from tests.passes.graphs import only, operators, same_before_and_after


def product_of(net: Net, y: str) -> str:
    """Something that needs integers."""
    return net.quant(net.conv(y, 4, 2, 1), 0.3)


def test_sums_of_equal_scales() -> None:
    net = Net([1, 4, 3, 3])
    y = net.add(net.quant(net.x, 0.3, 1.0), net.quant(net.op("Neg", net.x), 0.3, -2.0))
    step = IntegerJoins()
    model = same_before_and_after(net.model(product_of(net, y)), step)
    assert step.changed
    join = only(model, "Join")
    assert [array_of(v).tolist() for v in join.inputs[2:]] == [[1], [1]]  # type: ignore[union-attr]


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_scales_that_are_multiples_of_one_unit(op: str) -> None:
    net = Net([1, 4, 3, 3])
    y = net.op(op, net.quant(net.x, 0.5), net.quant(net.relu(net.x), 0.75, signed=False))
    step = IntegerJoins()
    model = same_before_and_after(net.model(product_of(net, y)), step)
    factors = [int(array_of(v)[0]) for v in only(model, "Join").inputs[2:]]  # type: ignore[index]
    assert factors == [2, 3 if op == "Add" else -3]


def test_products() -> None:
    net = Net([1, 4, 3, 3])
    y = net.op("Mul", net.quant(net.x, 0.3, 1.0), net.quant(net.relu(net.x), 0.7, -2.0))
    step = IntegerJoins()
    model = same_before_and_after(net.model(product_of(net, y)), step)
    join = only(model, "Join")
    assert (int_attr(join, "left_offset", 0), int_attr(join, "right_offset", 0)) == (1, -2)


def test_sums_that_are_quantized_at_once_stay() -> None:
    """Folding evaluates them as written."""
    net = Net([1, 4, 3, 3])
    y = net.quant(net.relu(net.add(net.quant(net.x, 0.3), net.quant(net.relu(net.x), 0.2))), 0.3)
    step = IntegerJoins()
    model = same_before_and_after(net.model(y), step)
    assert not step.changed
    assert not step.notes
    assert "Join" not in operators(model)


def test_sums_of_three() -> None:
    net = Net([1, 4, 3, 3])
    parts = [net.quant(net.op("Mul", net.x, net.const(np.float32(k))), 0.25) for k in (1, 2, 3)]
    step = IntegerJoins()
    model = same_before_and_after(net.model(net.quant(net.add(net.add(parts[0], parts[1]), parts[2]), 0.3)), step)
    assert step.changed
    assert operators(model).count("Join") >= 1


def test_declines_with_a_reason() -> None:
    net = Net([1, 4, 3, 3])
    y = product_of(net, net.add(net.quant(net.x, 0.3), net.quant(net.relu(net.x), 0.2117)))
    step = IntegerJoins()
    same_before_and_after(net.model(y), step)
    assert [n.text for n in step.notes] == [
        (
            "the scales of its inputs have no common unit, and its result goes unquantized into a product; "
            "put a quantizer behind it (Brevitas: a QuantIdentity), or share one quantizer on both branches"
        )
    ]
    net = Net([1, 4, 3, 3])
    y = product_of(net, net.op("Mul", net.quant(net.x, 0.3, 0.5), net.quant(net.relu(net.x), 0.3)))
    step = IntegerJoins()
    same_before_and_after(net.model(y), step)
    assert [n.text for n in step.notes] == [f"the zero points of its inputs are not integers; {WHOLE_ZERO}"]
    net = Net([1, 4, 3, 3])
    step = IntegerJoins()
    same_before_and_after(net.model(product_of(net, net.add(net.quant(net.x), net.op("Softmax", net.x)))), step)
    assert [n.text for n in step.notes] == [
        (
            "one of its inputs is not quantized; put a quantizer behind each branch (Brevitas: one QuantIdentity shared by both; "
            "onnxruntime and torch.ao: a QuantizeLinear and DequantizeLinear pair)"
        )
    ]
    net = Net([1, 4, 3, 3])
    net.input("b", [1, 4, 1, 3])
    step = IntegerJoins()
    same_before_and_after(net.model(product_of(net, net.op("Mul", net.quant(net.x), net.quant("b")))), step)
    assert [n.text for n in step.notes] == [
        (
            "it broadcasts (1, 4, 3, 3) against (1, 4, 1, 3), which is not supported; expand the smaller one in the "
            "model (torch: .expand), or quantize the result"
        )
    ]
