"""The graph passes around allocation: width converters in and out, windows of the whole frame."""

from __future__ import annotations

import numpy as np

from flowc.dataflow.allocate import allocate
from flowc.dataflow.emulator import emulate
from flowc.model.dtypes import SInt, UInt
from flowc.passes.insert_width_converters import insert_width_converters, remove_width_converters
from flowc.passes.remove_whole_windows import remove_whole_windows
from flowc.targets import load_target
from flowc.units import Mvtu, WidthConverter, Window
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import Net


def last_convolution() -> Dataflow:
    net = Net(5, 5, 4, UInt(2))
    net.conv(6, SInt(2), UInt(2))
    net.conv(8, SInt(2), None)
    return net.done()


def test_converters_stand_where_widths_differ_and_go_again() -> None:
    graph = last_convolution()
    folded = graph.with_units({"conv1": graph["conv1"].with_(pe=3), "y": graph["y"].with_(simd=2)})
    full = insert_width_converters(folded)
    found = {u.name: (u.wide_in, u.wide_out) for u in full if isinstance(u, WidthConverter)}
    assert found == {"conv2_window_width": (3, 1), "y_width": (1, 2)}
    assert insert_width_converters(full) is full
    bare = remove_width_converters(full)
    assert list(bare.units) == list(folded.units)
    assert {(s.src, s.dst) for s in bare.streams} == {(s.src, s.dst) for s in folded.streams}
    assert remove_width_converters(bare) is bare


def test_window_of_the_whole_frame_goes() -> None:
    graph = last_convolution()
    lean = remove_whole_windows(graph)
    assert [u.name for u in graph if isinstance(u, Window)] == ["conv1_window", "conv2_window"]
    assert [u.name for u in lean if isinstance(u, Window)] == ["conv1_window"]
    conv = lean["conv2"]
    assert isinstance(conv, Mvtu)
    assert conv.block == 6
    x = np.random.default_rng(0).integers(0, 4, (4, 5, 5, 4))
    assert np.array_equal(emulate(lean, {"x": x})["y"], emulate(graph, {"x": x})["y"])
    assert remove_whole_windows(lean) is lean


def test_allocation_as_a_pass() -> None:
    graph = allocate(last_convolution(), load_target("ultra96"), fps=10_000).graph
    assert max(u.cycles for u in graph) <= 10_000
    assert all(s.depth is not None for s in graph.streams)
