"""Movement behind operations with constants per channel, as exporters write linear layers on sequences and flattened images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.netbuild import Net
from tests.regressions.exact import assert_exact, grid

After = Callable[[Net, str], str]


def _prelu(net: Net, x: str) -> str:
    return net.op("PRelu", x, net.const(np.array([[0.1], [-0.2], [0.3], [0.05], [0.0]], np.float32)))


def _norm(net: Net, x: str) -> str:
    return net.bn(x, 5, signs=True)


@pytest.mark.parametrize("after", [_prelu, _norm, Net.relu], ids=["prelu", "norm", "relu"])
def test_linear_layer_between_transposes(after: After) -> None:
    """MatMul and bias on [1, L, C], then constants along axis 1 of [1, C, L]."""
    net = Net([1, 4, 6])
    x = net.op("Transpose", net.quant(net.x, 0.25), perm=[0, 2, 1])
    y = net.op("Transpose", net.linear(x, 4, 5, bias=True, form="plain"), perm=[0, 2, 1])
    y = net.quant(after(net, y), 0.4)
    model = net.model(net.op("Conv", y, net.weight([2, 5, 3]), kernel_shape=[3]))
    assert_exact(model, grid((4, 4, 6), 0.25))


def test_bias_before_the_channels_part() -> None:
    net = Net([1, 3, 4, 4], opset=13)
    y = net.conv(net.quant(net.x, 0.25), 3, 6, 1, bias=True)
    first = net.op("Split", y, net.const(np.array([2, 4], np.int64)), outputs=2, axis=1)
    a = net.quant(net.relu(first), 0.3, signed=False)
    b = net.quant(net.op("Sigmoid", f"{first}.1"), 0.1, signed=False)
    assert_exact(net.model(net.conv(net.quant(net.concat(a, b), 0.3), 6, 2, 1)), grid((4, 3, 4, 4), 0.25))


def test_normalization_of_a_flattened_image() -> None:
    net = Net([1, 2, 3, 3])
    y = net.flatten(net.conv(net.quant(net.x, 0.25), 2, 4, 2, bias=True))
    y = net.quant(net.relu(net.bn(y, 16, signs=True)), 0.3, signed=False)
    assert_exact(net.model(net.linear(y, 16, 3)), grid((4, 2, 3, 3), 0.25))


def test_maximum_before_a_falling_normalization() -> None:
    net = Net([1, 2, 6, 6])
    y = net.maxpool(net.conv(net.quant(net.x, 0.25), 2, 4, bias=True))
    y = net.quant(net.relu(net.bn(y, 4, signs=True)), 0.3, signed=False)
    assert_exact(net.model(net.linear(net.flatten(y), 16, 3)), grid((4, 2, 6, 6), 0.25))


def test_average_of_positions_with_ranges_of_their_own() -> None:
    """A Concat reshaped to positions, the greatest value another at each, the least the same: one range per channel behind the pool."""
    net = Net([1, 4])
    x = net.quant(net.x, 0.25, signed=False)
    first = net.quant(net.relu(net.linear(x, 4, 3)), 0.3, signed=False, bits=2)
    second = net.quant(net.relu(net.linear(x, 4, 1)), 0.3, signed=False, bits=4)
    y = net.op("Reshape", net.op("Concat", first, second, axis=1), net.const(np.array([1, 2, 2]), "shape"))
    y = net.quant(net.op("AveragePool", y, kernel_shape=[2], strides=[2]), 0.2)
    assert_exact(net.model(net.linear(net.flatten(y), 2, 2)), grid((4, 4), 0.25))
