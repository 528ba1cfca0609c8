"""Activations: inside the unit that computes their input, or apart."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.units import Activate, GlobalSum, Join, Mvtu, Pool
from tests.compare import check_model
from tests.netbuild import Net


def test_absorbed_by_the_only_producer() -> None:
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, 0.3)
    a = net.quant(net.relu(net.conv(x, 4, 4, 3)), 0.317, signed=False)
    b = net.quant(net.avgpool(a, 2), 0.231, signed=False)
    c = net.quant(net.op("GlobalAveragePool", b), 0.07, signed=False)
    graph = check_model(net.model(net.linear(net.flatten(c), 4, 3))).compiled.graph
    assert not [u for u in graph if isinstance(u, Activate)]
    for kind in (Mvtu, Pool, GlobalSum):
        (unit,) = [u for u in graph if isinstance(u, kind) and u.activation is not None]
        assert unit.outputs[0].dtype == unit.activation.dtype  # type: ignore[union-attr]


def test_apart_where_the_accumulator_has_other_readers() -> None:
    net = Net([1, 4, 6, 6])
    y = net.conv(net.quant(net.x, 0.3), 4, 4, 1)
    a, b = net.quant(net.relu(y), 0.3173, signed=False), net.quant(net.op("Neg", y), 0.3173)
    graph = check_model(net.model(net.conv(net.concat(a, b), 8, 2, 1))).compiled.graph
    assert len([u for u in graph if isinstance(u, Activate)]) == 2


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (1, 1, 6, 1), (1, 4, 6, 5), (1, 1, 1, 5)])
def test_parameters_per_channel_and_per_position(shape: tuple[int, ...]) -> None:
    net = Net([1, 4, 6, 5])
    y = net.op("Mul", net.quant(net.x, 0.3), net.const(net.rng.uniform(-1.5, 1.5, shape)))
    y = net.quant(net.add(y, net.const(net.rng.normal(0, 1, shape))), 0.317)
    graph = check_model(net.model(net.conv(y, 4, 2, 1))).compiled.graph
    (unit,) = [u for u in graph if isinstance(u, Activate)]
    assert unit.activation.channels in (1, unit.frame.c)


def test_parameters_per_position_behind_a_convolution() -> None:
    net = Net([1, 3, 5, 5])
    y = net.add(net.conv(net.quant(net.x, 0.3), 3, 4, 1), net.const(net.rng.normal(0, 1, (1, 4, 5, 5))))
    graph = check_model(net.model(net.conv(net.quant(y, 0.317), 4, 2, 1))).compiled.graph
    assert [u.kind for u in graph] == ["input", "mvtu", "activate", "mvtu", "output"]


def test_parameters_follow_a_reordered_stream() -> None:
    """Per-channel parameters of a flattened image, whose stream is in pixel order."""
    net = Net([1, 3, 4, 4])
    y = net.flatten(net.quant(net.conv(net.quant(net.x, 0.3), 3, 4, 1), 0.317))
    y = net.quant(net.op("Mul", y, net.const(net.rng.uniform(0.5, 2, (1, 64)))), 0.41)
    check_model(net.model(net.linear(y, 64, 3)))


def test_joins_absorb_theirs() -> None:
    net = Net([1, 4, 4, 4])
    x = net.quant(net.x, 0.3)
    a, b = net.quant(net.conv(x, 4, 4, 1), 0.4127), net.quant(net.conv(x, 4, 4, 1), 0.3061)
    y = net.quant(net.bn(net.add(a, b), 4, signs=True), 0.317)
    graph = check_model(net.model(net.conv(y, 4, 2, 1))).compiled.graph
    (join,) = [u for u in graph if isinstance(u, Join)]
    assert join.activation is not None


def test_joins_of_flattened_images_with_parameters_per_channel() -> None:
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x, 0.3)
    a, b = (net.flatten(net.quant(net.conv(x, 3, 4, 1), s)) for s in (0.4127, 0.3061))
    y = net.op("Mul", net.add(a, b), net.const(net.rng.uniform(0.5, 2, (1, 64))))
    check_model(net.model(net.linear(net.quant(y, 0.4127), 64, 3)))


def test_joins_of_flattened_images_with_scales_per_channel() -> None:
    """The integer ratio of the two sides differs from channel to channel, which lie across pixels."""
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x, 0.3)
    scale = net.rng.uniform(0.2, 0.5, (1, 64)).astype(np.float32)
    a, b = (net.flatten(net.quant(net.conv(x, 3, 4, 1), s)) for s in (0.4127, 0.3061))
    y = net.quant(net.add(net.quant(a, scale), b), 0.3533)
    check_model(net.model(net.linear(y, 64, 3)))


def test_eight_bit_activations_are_no_thresholds() -> None:
    net = Net([1, 4, 4, 4])
    y = net.quant(net.relu(net.conv(net.quant(net.x, 0.01, bits=8), 4, 4, 3, bits=8)), 0.013, bits=8, signed=False)
    graph = check_model(net.model(net.conv(y, 4, 2, 1))).compiled.graph
    (unit, _) = [u for u in graph if isinstance(u, Mvtu)]
    assert unit.activation is not None
    assert unit.activation.kind == "requant"
    assert np.asarray(unit.weights).shape == (4, 36)
