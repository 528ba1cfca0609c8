"""Dense products over channels of a few unrelated scales: exact, as one product for each scale and one sum."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.streamline.compile import compile_model
from tests.compare import check_model
from tests.netbuild import Net

F = np.float32


def concat_net(scales: list[float], *, zeros: bool, pads: int, last: bool, seed: int) -> Net:
    """Branches of different quantizers, joined, into a convolution."""
    net = Net([1, 3, 6, 6], dialect="qcdq", seed=seed)
    x = net.quant(net.x, 0.0213, 128, bits=8, signed=False)
    parts = []
    for i, scale in enumerate(scales):
        y = net.relu(net.conv(x, 3, 2 + i, pads=[1] * 4))
        parts.append(net.quant(y, scale, 5 * i if zeros else 0, bits=8, signed=False))
    channels = sum(2 + i for i in range(len(scales)))
    y = net.conv(net.concat(*parts), channels, 5, per_channel=True, bias=True, pads=[pads] * 4)
    net.x = y if last else net.conv(net.quant(net.relu(y), 0.2017, bits=8, signed=False), 5, 3, 1)
    return net


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("scales", "zeros", "pads"), [
    ([0.03, 0.071], False, 0), ([0.03, 0.071], True, 1), ([0.03, 0.071, 0.0413], True, 1), ([0.03, 0.03], True, 1),
])  # fmt: skip
def test_a_concat_of_unrelated_scales(scales: list[float], zeros: bool, pads: int, last: bool) -> None:
    net = concat_net(scales, zeros=zeros, pads=pads, last=last, seed=len(scales))
    checked = check_model(net.model(net.x), samples=3)
    products = [u for u in checked.compiled.graph if u.kind == "mvtu"]
    assert len(products) == 2 * len(scales) + (not last)
    assert sum(u.macs for u in products) == sum(u.macs for u in checked.compiled.graph)


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 2, 2], [0, 0, 0, 1, 1, 1], [2, 1, 0, 0, 1, 2]])
def test_channel_scales_in_few_groups(order: list[int]) -> None:
    """Whatever the order of the channels, related scales (here 0.1 and 0.2) share a product."""
    net = Net([1, 6, 5, 5])
    scale = np.array([0.1, 0.2, 0.0713], F)[order].reshape(1, 6, 1, 1)
    y = net.quant(net.conv(net.quant(net.x, scale, bits=6), 6, 4), 0.4017, bits=6)
    checked = check_model(net.model(net.conv(y, 4, 2, 1)))
    assert [u.kind for u in checked.compiled.graph].count("mvtu") == len(set(order) - {1}) + 1


def test_a_product_over_the_last_axis() -> None:
    net = Net([1, 8])
    scale = np.array([0.1, 0.1, 0.1, 0.1, 0.0713, 0.0713, 0.0713, 0.0713], F).reshape(1, 8)
    y = net.quant(net.linear(net.quant(net.x, scale, bits=6), 8, 5, form="plain"), 0.4017, bits=6)
    check_model(net.model(net.linear(y, 5, 3, form="plain")))


def test_each_product_takes_a_branch_as_it_is() -> None:
    """No channels are cut out of a Concat only to take them apart again."""
    net = concat_net([0.03, 0.071], zeros=False, pads=0, last=False, seed=0)
    kinds = [u.kind for u in compile_model(net.model(net.x)).graph]
    assert "concat" not in kinds
    assert "split" not in kinds
