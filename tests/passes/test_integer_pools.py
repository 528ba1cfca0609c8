"""Averages as integer sums and a scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.model.ir import array_of
from flowc.passes.integer_pools import IntegerPools
from flowc.passes.remedies import ONE_SCALE, WHOLE_ZERO
from flowc.passes.sink_dequantizers import SinkDequantizers
from flowc.passes.spread_reductions import SpreadReductions
from tests.netbuild import Net
from tests.passes.graphs import only, operators, same_before_and_after


def check(net: Net, y: str, op: str) -> Any:
    step = IntegerPools()
    model = same_before_and_after(net.model(net.quant(y, 0.173, bits=8)), step)
    assert step.changed, step.notes
    assert op in operators(model)
    return model


@pytest.mark.parametrize("zero", [0.0, 3.0])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"stride": 1},
        {"pads": [1, 1, 1, 1], "count_include_pad": 1},
        {"pads": [1, 0, 1, 1], "count_include_pad": 0},
        {"ceil_mode": 1},
        {"ceil_mode": 1, "pads": [1, 1, 0, 0], "stride": 2},
    ],
)
def test_average_pools(zero: float, attributes: dict[str, Any]) -> None:
    net = Net([1, 3, 7, 8])
    x = net.quant(net.x, np.array([0.3, 0.2, 0.5]).reshape(1, 3, 1, 1) if not zero else 0.3, zero)
    check(net, net.avgpool(x, 3, **attributes), "SumPool")


def test_edges_divide_by_fewer() -> None:
    net = Net([1, 1, 4, 4])
    model = check(net, net.avgpool(net.quant(net.x, 0.5), 2, 2, pads=[1, 1, 1, 1]), "SumPool")
    scale = array_of(only(model, "SumPool").outputs[0].uses()[0].node.inputs[1])
    assert scale is not None
    np.testing.assert_array_equal(0.5 / scale[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize("dims", [1, 2])
def test_global_averages(dims: int) -> None:
    net = Net([1, 3, *[5] * dims])
    check(net, net.op("GlobalAveragePool", net.quant(net.x, 0.3, 2.0)), "GlobalSum")


def test_a_window_as_large_as_the_frame_is_global() -> None:
    net = Net([1, 3, 4, 4])
    check(net, net.avgpool(net.quant(net.x, 0.3), 4), "GlobalSum")


@pytest.mark.parametrize(("axes", "keep"), [([2, 3], 1), ([2, 3], 0), ([1, 2], 1), ([-1, 1], 0)])
def test_means_over_axes(axes: list[int], keep: int) -> None:
    net = Net([1, 3, 4, 5], opset=18)
    y = net.op("ReduceMean", net.quant(net.x, 0.3), net.const(np.array(axes)), keepdims=keep)
    steps = SpreadReductions(), SinkDequantizers(), IntegerPools()
    model = same_before_and_after(net.model(net.quant(y, 0.0973, bits=8)), *steps)
    assert "GlobalSum" in operators(model)


def test_declines_with_a_reason() -> None:
    cases = [
        (lambda net: net.avgpool(net.relu(net.x)), "its input is not quantized"),
        (
            lambda net: net.avgpool(net.quant(net.x, np.array([0.1, 0.2, 0.3, 0.4]).reshape(1, 1, 4, 1))),
            f"its input's scale varies over positions; use {ONE_SCALE}",
        ),
        (
            lambda net: net.avgpool(net.quant(net.x, 0.3, 0.5), 2, 2, pads=[1] * 4, count_include_pad=1),
            f"its padding is no integer of the padded tensor; {WHOLE_ZERO}",
        ),
    ]
    for build, reason in cases:
        net = Net([1, 3, 4, 4])
        step = IntegerPools()
        same_before_and_after(net.model(net.quant(build(net))), step)
        assert not step.changed
        assert [n.text for n in step.notes] == [reason]
