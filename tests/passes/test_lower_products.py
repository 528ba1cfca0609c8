"""Convolutions and matrix products as units."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.passes.lower_products import weight_type
from flowc.units import Mvtu, Vvtu, Window
from tests.compare import check_model
from tests.netbuild import Net


def test_weight_types_are_the_narrowest() -> None:
    assert weight_type(np.array([[1, -1], [-1, -1]])) == BIPOLAR
    assert weight_type(np.array([[1, 0], [-1, -1]])) == SInt(2)
    assert weight_type(np.array([[3, 0]])) == UInt(2)
    assert weight_type(np.array([[-128, 127]])) == SInt(8)


@pytest.mark.parametrize(
    ("kernel", "attributes", "units"),
    [
        (1, {}, ["input", "mvtu", "mvtu", "output"]),
        (1, {"strides": [2, 2]}, ["input", "window", "mvtu", "mvtu", "output"]),
        (3, {}, ["input", "window", "mvtu", "mvtu", "output"]),
        (3, {"pads": [1, 0, 1, 2]}, ["input", "pad", "window", "mvtu", "mvtu", "output"]),
        ((2, 3), {"dilations": [2, 1]}, ["input", "window", "mvtu", "mvtu", "output"]),
        (3, {"group": 2}, ["input", "window", "mvtu", "mvtu", "output"]),
        (3, {"group": 4}, ["input", "window", "vvtu", "mvtu", "output"]),
    ],
)
def test_units_of_a_convolution(kernel: int | tuple[int, int], attributes: dict[str, object], units: list[str]) -> None:
    net = Net([1, 4, 7, 7])
    x = net.quant(net.relu(net.conv(net.quant(net.x, 0.3), 4, 4, kernel, **attributes)), 0.317, signed=False)  # type: ignore[arg-type]
    graph = check_model(net.model(net.conv(x, 4, 2, 1))).compiled.graph
    assert [u.kind for u in graph] == units
    for unit in graph:
        if isinstance(unit, Mvtu) and unit.groups > 1:
            assert unit.block == 2
        if isinstance(unit, Window):
            assert unit.block == (1 if attributes.get("group") == 4 else 2 if attributes.get("group") == 2 else 4)


def test_depthwise_with_a_multiplier() -> None:
    net = Net([1, 4, 6, 6])
    y = net.quant(net.conv(net.quant(net.x, 0.3), 4, 12, group=4), 0.317)
    (unit,) = [u for u in check_model(net.model(net.conv(y, 12, 2, 1))).compiled.graph if isinstance(u, Vvtu)]
    assert unit.depth_multiplier == 3


def test_one_dimensional_convolutions_have_height_one() -> None:
    net = Net([1, 3, 12])
    y = net.quant(net.conv(net.quant(net.x, 0.3), 3, 4, (5,), strides=[2], pads=[2, 1], dilations=[2]), 0.317)
    graph = check_model(net.model(net.linear(net.flatten(y), 16, 3))).compiled.graph
    (window,) = [u for u in graph if isinstance(u, Window)]
    assert window.kernel == (1, 5)
    assert window.frame.h == 1


def test_three_dimensional_convolutions_are_refused() -> None:
    from flowc.errors import UnsupportedError
    from flowc.streamline.compile import compile_model

    net = Net([1, 2, 4, 4, 4])
    with pytest.raises(UnsupportedError, match="3-dimensional"):
        compile_model(net.model(net.quant(net.conv(net.quant(net.x, 0.3), 2, 2, (2, 2, 2)), 0.3)))


def test_accumulators_are_as_narrow_as_their_weights_allow() -> None:
    net = Net([1, 16])
    w = net.quant(net.const(np.ones((16, 4), np.float32)), 1.0, bits=2)
    y = net.op("MatMul", net.quant(net.x, 1.0, bits=2, signed=False), w)
    (unit,) = [u for u in check_model(net.model(y)).compiled.graph if isinstance(u, Mvtu)]
    # Sums of 16 values up to 3.
    assert unit.acc == UInt(6)


def test_sequences_of_vectors() -> None:
    net = Net([1, 5, 8])
    y = net.quant(
        net.op("Add", net.linear(net.quant(net.x, 0.3), 8, 6, form="plain"), net.const(net.rng.normal(0, 1, 6))), 0.317
    )
    graph = check_model(net.model(net.linear(net.flatten(y), 30, 3))).compiled.graph
    assert [u.kind for u in graph] == ["input", "mvtu", "mvtu", "output"]
