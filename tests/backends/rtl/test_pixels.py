"""A whole design that takes several pixels of a row per cycle, in Verilator: every stream equal, the interval the model's to the cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.backend import RtlBackend
from flowc.backends.rtl.generate import generate
from flowc.dataflow.allocate import allocate
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.model.dtypes import UInt
from tests.backends.hls.random_units import integers
from tests.backends.rtl.checking import expect_equal, needs_verilator
from tests.dataflow.allocate.nets import Net
from tests.dataflow.allocate.test_pixels import ACT, BOARD, WEIGHT, several

pytestmark = needs_verilator
FRAMES = 8


@pytest.mark.slow
def test_a_whole_network(tmp_path: Path) -> None:
    net = Net(8, 8, 1, UInt(2))
    net.conv(2, WEIGHT, ACT, pad=1)
    fork = net.fork()
    left = net.conv(2, WEIGHT, ACT, k=1)
    net.join(left, fork, 1, ACT)
    net.pool()
    net.conv(2, WEIGHT, ACT, stride=2, pad=1)
    graph = allocate(RtlBackend().prepare(net.done()), BOARD, clock_mhz=200, fps=5e6).graph
    assert set(several(graph).values()) == {2, 4}
    generate(graph, tmp_path, header="A test")
    rng = np.random.default_rng(0)
    inputs = [integers(rng, port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs]
    binary = simulate.compile(tmp_path, graph, quick=True)
    seen = simulate.run(binary, graph, inputs)
    expect_equal(graph, seen, inputs)
    predicted = model(graph, FRAMES)
    assert seen.interval == predicted.interval == max(u.interval for u in graph)
    assert 0.9 * predicted.latency <= seen.ends[0] <= predicted.latency
    expect_equal(graph, simulate.run(binary, graph, inputs, stalls=30), inputs)
