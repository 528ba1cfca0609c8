"""Half-way ties in averages, joins and standalone activations: what the model leaves open there is in the certificate too."""

from __future__ import annotations

import pytest

from tests.netbuild import Net
from tests.regressions.exact import assert_exact, grid


@pytest.mark.parametrize("scale", [0.25, 0.3])
@pytest.mark.parametrize("form", ["pool", "global", "padded"])
def test_averages(scale: float, form: str) -> None:
    """Sums of n values on the grid divided by n hit a tie every n-th time; on powers of two nothing may differ."""
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x, scale, bits=5)
    if form == "global":
        y, features = net.op("GlobalAveragePool", x), 3
    else:
        pads = {"pads": [1, 1, 1, 1], "count_include_pad": 1} if form == "padded" else {}
        y, features = net.avgpool(x, 2, **pads), 27 if form == "padded" else 12
    y = net.quant(y, scale, bits=5)
    model = net.model(net.linear(net.flatten(y), features, 2))
    outcome = assert_exact(model, grid((20, 3, 4, 4), scale, lo=-16, hi=15))
    assert scale != 0.25 or outcome.mismatches == 0


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_joins(op: str) -> None:
    net = Net([1, 3, 5, 5], seed=1)
    x = net.quant(net.x, 0.3)
    y = net.quant(net.conv(x, 3, 3, 1), 0.1, bits=5)
    z = net.quant(net.op(op, x, y), 0.2, bits=4)
    assert_exact(net.model(net.conv(z, 3, 2, 1)), grid((10, 3, 5, 5), 0.3))


def test_average_of_accumulators() -> None:
    """Convolution, average, quantizer: two sums in a row."""
    net = Net([1, 2, 6, 6], seed=2)
    y = net.avgpool(net.conv(net.quant(net.x, 0.3), 2, 4, per_channel=True), 2)
    y = net.quant(y, 0.15, bits=5)
    assert_exact(net.model(net.linear(net.flatten(y), 16, 3)), grid((10, 2, 6, 6), 0.3))
