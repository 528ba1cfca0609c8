"""Pools and padding as units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.units import GlobalSum, Pad, Pool, Window
from tests.compare import check_model
from tests.netbuild import Net

F = np.float32


def graph_of(net: Net, y: str, channels: int = 3) -> Any:
    return check_model(
        net.model(
            net.conv(
                net.quant(y, 0.171),
                channels,
                2,
                *([1] if len(net.inputs[0].type.tensor_type.shape.dim) == 4 else [(1,)]),
            )
        )
    ).compiled.graph


@pytest.mark.parametrize(
    "attributes",
    [{"kernel_shape": [2, 2], "strides": [2, 2]}, {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]},
     {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, {"kernel_shape": [2, 2], "dilations": [2, 3]},
     {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}],
)  # fmt: skip
@pytest.mark.parametrize("signed", [True, False])
def test_maximum(attributes: dict[str, Any], signed: bool) -> None:
    net = Net([1, 3, 8, 8])
    graph = graph_of(net, net.op("MaxPool", net.quant(net.x, 0.3, signed=signed), **attributes))
    (pool,) = [u for u in graph if isinstance(u, Pool)]
    assert pool.op == "max"
    assert all(u.value == u.frame.dtype.lo for u in graph if isinstance(u, Pad))


def test_one_dimension() -> None:
    net = Net([1, 3, 9])
    y = net.op("MaxPool", net.quant(net.x, 0.3), kernel_shape=[3], strides=[2], pads=[1, 1])
    y = net.quant(net.op("AveragePool", y, kernel_shape=[2]), 0.2)
    graph = check_model(net.model(net.linear(net.flatten(y), 12, 2))).compiled.graph
    assert [u.kernel for u in graph if isinstance(u, Window)] == [(1, 3), (1, 2)]


def test_bipolar_maximum_with_padding() -> None:
    """-1 is the value that no maximum picks."""
    net = Net([1, 3, 6, 6])
    graph = graph_of(net, net.maxpool(net.bipolar(net.x), 3, 2, pads=[1, 1, 1, 1]))
    (pad,) = [u for u in graph if isinstance(u, Pad)]
    assert pad.value == -1


@pytest.mark.parametrize("counted", [0, 1])
def test_averages(counted: int) -> None:
    net = Net([1, 3, 6, 6])
    x = net.quant(net.x, 0.3, 2.0)
    graph = graph_of(net, net.avgpool(x, 3, 2, pads=[1, 1, 1, 1], count_include_pad=counted))
    (pool,) = [u for u in graph if isinstance(u, Pool)]
    assert pool.op == "sum"


def test_global_average() -> None:
    net = Net([1, 3, 5, 6])
    graph = graph_of(net, net.op("GlobalAveragePool", net.quant(net.x, 0.3, 2.0)))
    assert [u.kind for u in graph if isinstance(u, GlobalSum)] == ["global_sum"]


def test_pads() -> None:
    net = Net([1, 3, 5, 6])
    y = net.op("Pad", net.quant(net.x, 0.5, 1.0), net.const(np.array([0, 0, 1, 2, 0, 0, 0, 1])), net.const(F(-1.5)))
    graph = graph_of(net, y)
    (pad,) = [u for u in graph if isinstance(u, Pad)]
    assert (pad.top, pad.left, pad.bottom, pad.right, pad.value) == (1, 2, 0, 1, -2)


def test_a_pad_value_widens_the_type() -> None:
    net = Net([1, 3, 5, 5])
    y = net.op(
        "Pad",
        net.quant(net.x, 1.0, bits=2, signed=False),
        net.const(np.array([0, 0, 1, 1, 0, 0, 1, 1])),
        net.const(F(9)),
    )
    (pad,) = [u for u in graph_of(net, y) if isinstance(u, Pad)]
    assert pad.out.dtype.holds(0, 9)
