"""Quantizers above pools and movement: same integers, narrower streams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flowc.passes.hoist_quantizers import HoistQuantizers
from tests.netbuild import Net
from tests.passes.graphs import operators, same_before_and_after

F = np.float32


def positive_norm(net: Net, y: str) -> str:
    """Batch normalization with gammas above zero."""
    return net.bn(y, 4)


def test_above_a_maximum() -> None:
    net = Net([1, 3, 8, 8])
    y = net.maxpool(net.conv(net.quant(net.x), 3, 4), 3, 2, pads=[1] * 4)
    step = HoistQuantizers()
    model = same_before_and_after(net.model(net.quant(net.relu(positive_norm(net, y)), 0.3, signed=False)), step)
    assert step.changed
    chain = ["Conv", "BatchNormalization", "Relu", "Quantize", "MaxPool", "Dequantize"]
    assert operators(model)[-6:] == chain
    assert any("moved above MaxPool" in n.text for n in step.notes)


@pytest.mark.parametrize(
    "tail",
    [
        lambda net, y: net.bn(y, 4, signs=True),
        lambda net, y: net.op("Neg", y),
        lambda net, y: net.op("Abs", y),
        lambda net, y: net.add(y, net.const(np.ones((1, 4, 1, 3)) * [[[[0, 1, 2]]]])),
    ],
    ids=["negative gamma", "negation", "not monotone", "constants over positions"],
)
def test_what_does_not_commute_with_a_maximum(tail: Callable[[Net, str], str]) -> None:
    net = Net([1, 3, 8, 8])
    y = net.maxpool(net.conv(net.quant(net.x), 3, 4), 2)
    step = HoistQuantizers()
    model = same_before_and_after(net.model(net.quant(tail(net, y), 0.3)), step)
    assert not step.changed
    assert operators(model)[-2:] == ["Quantize", "Dequantize"]


@pytest.mark.parametrize("move", ["Reshape", "Transpose", "DepthToSpace", "Resize"])
def test_above_movement(move: str) -> None:
    net = Net([1, 3, 4, 4])
    y = net.conv(net.quant(net.x), 3, 4, 1)
    y = {
        "Reshape": lambda: net.flatten(y),
        "Transpose": lambda: net.op("Transpose", y, perm=[0, 2, 3, 1]),
        "DepthToSpace": lambda: net.op("DepthToSpace", y, blocksize=2, mode="CRD"),
        "Resize": lambda: net.op(
            "Resize", y, "", net.const([1, 1, 2, 2], dtype=F), mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
    }[move]()  # fmt: skip
    step = HoistQuantizers()
    model = same_before_and_after(net.model(net.quant(net.relu(y), 0.3, signed=False)), step)
    assert step.changed
    assert operators(model)[-4:] == ["Relu", "Quantize", move, "Dequantize"]


def test_constants_per_element_stay_below_movement() -> None:
    net = Net([1, 3, 4, 4])
    y = net.flatten(net.conv(net.quant(net.x), 3, 4, 1))
    y = net.op("Mul", y, net.const(np.random.default_rng(0).uniform(0.5, 1.5, (1, 64))))
    step = HoistQuantizers()
    same_before_and_after(net.model(net.quant(y, 0.3)), step)
    assert not step.changed


def test_shared_results_stay() -> None:
    """A pooled tensor with another reader."""
    net = Net([1, 3, 4, 4])
    y = net.maxpool(net.conv(net.quant(net.x), 3, 4, 1))
    step = HoistQuantizers()
    same_before_and_after(net.model(net.quant(y, 0.3), net.relu(y)), step)
    assert not step.changed


def test_several_in_a_row() -> None:
    net = Net([1, 3, 8, 8])
    y = net.maxpool(net.relu(net.maxpool(net.conv(net.quant(net.x), 3, 4, 1))))
    step = HoistQuantizers()
    model = same_before_and_after(net.model(net.quant(net.flatten(y), 0.3, signed=False)), step)
    assert operators(model)[-6:] == ["Relu", "Quantize", "MaxPool", "MaxPool", "Reshape", "Dequantize"]


def test_the_integer_tensor_keeps_its_name() -> None:
    net = Net([1, 3, 4, 4])
    y = net.maxpool(net.conv(net.quant(net.x), 3, 4, 1))
    out = net.quant(y, 0.3)
    model = same_before_and_after(net.model(out), HoistQuantizers())
    (pool,) = [n for n in model.graph if n.op_type == "MaxPool"]
    assert pool.outputs[0].name == f"{out}/q"
