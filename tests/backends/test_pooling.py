"""Pools of which a whole window is taken in a cycle: a pixel per cycle, in the model and in both backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim
from flowc.backends.hls import generate as generate_hls
from flowc.backends.hls.lint import lint
from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate as generate_rtl
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.model.dtypes import SInt, UInt
from flowc.units import Frame, Pool
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import emulate
from tests.backends.pooling import chain, pooled, pools
from tests.backends.rtl.checking import expect_equal, needs_verilator

FRAMES = 6


def one(kernel: int, stride: int, parallel: bool) -> Dataflow:
    frame = Frame(9, 9, 2, UInt(4))
    return Dataflow("one", *chain("p", pooled("p", frame, "max", UInt(4), kernel, stride, 2, parallel)))


@pytest.mark.parametrize("kernel", [2, 3])
def test_a_pool_takes_a_pixel_in_every_cycle(kernel: int) -> None:
    assert model(one(kernel, 1, True), FRAMES).interval == 81
    assert model(one(kernel, 2, True), FRAMES).interval == 81
    serial = model(one(kernel, 2, False), FRAMES).interval
    assert serial is not None
    assert serial >= max(81, 16 * kernel * kernel)


@pytest.mark.slow
def test_hls(tmp_path: Path) -> None:
    graph, frames = pools()
    generate_hls(graph, tmp_path, part="xczu3eg-sbva484-1-e", clock_mhz=200, header="A test")
    assert lint(tmp_path) == []
    binary = csim.compile(tmp_path, cycles=True)
    for result, expected in zip(csim.run(binary, graph, frames), emulate(graph, frames), strict=True):
        np.testing.assert_array_equal(result, expected)
    assert csim.count_cycles(binary, graph, frames) == {u.name: len(frames[0]) * u.cycles for u in graph}
    assert {u.cycles for u in graph if isinstance(u, Pool)} == {2 * 6, 24}


@pytest.mark.slow
@needs_verilator
def test_rtl(tmp_path: Path) -> None:
    """Sums with thresholds; random units have maxima of all taps, too."""
    frame = Frame(9, 9, 2, UInt(4))
    graph = Dataflow("one", *chain("p", pooled("p", frame, "sum", SInt(9), 3, 2, 2, True)))
    generate_rtl(graph, tmp_path, header="A test")
    frames = [np.random.default_rng(2).integers(0, 16, (FRAMES, 9, 9, 2))]
    binary = simulate.compile(tmp_path, graph, quick=True)
    expect_equal(graph, simulate.run(binary, graph, frames, stalls=35, seed=1), frames)
    seen = simulate.run(binary, graph, frames)
    expect_equal(graph, seen, frames)
    assert seen.interval == model(graph, FRAMES).interval == 81
