"""Windows as large as the frame."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.passes.remove_whole_windows import remove_whole_windows
from flowc.streamline.compile import compile_model
from flowc.units import Mvtu, Window
from tests.dataflow.test_emulator import random_frames, walk
from tests.netbuild import Net


@pytest.mark.parametrize(
    ("size", "attributes", "removed"),
    [
        ((3, 3), {}, True),
        ((3, 2), {}, True),
        ((4, 3), {}, False),
        ((5, 5), {"dilations": [2, 2]}, False),
        ((3, 3), {"group": 2}, False),
    ],
)
def test_removed_where_it_covers_the_frame(size: tuple[int, int], attributes: dict[str, object], removed: bool) -> None:
    net = Net([1, 4, *size])
    kernel = (min(size[0], 3), min(size[1], 3))
    y = net.quant(net.conv(net.quant(net.x, 0.3), 4, 6, kernel, **attributes), 0.317)  # type: ignore[arg-type]
    width = 6 * (size[0] - 2 if not attributes.get("dilations") else 1)
    graph = compile_model(net.model(net.linear(net.flatten(y), width, 3))).graph
    after = remove_whole_windows(graph)
    assert any(isinstance(u, Window) for u in graph)
    assert any(isinstance(u, Window) for u in after) != removed
    assert (after is graph) != removed
    frames = random_frames(graph, 3)
    wanted = walk(graph, frames)
    for port, values in walk(after, frames).items():
        np.testing.assert_array_equal(values, wanted[port])
    if removed:
        first = next(u for u in after if isinstance(u, Mvtu))
        assert first.block == 4


def test_depthwise_units_keep_theirs() -> None:
    net = Net([1, 4, 3, 3])
    y = net.quant(net.conv(net.quant(net.x, 0.3), 4, 4, group=4), 0.317)
    graph = compile_model(net.model(net.linear(net.flatten(y), 4, 3))).graph
    assert remove_whole_windows(graph) is graph
