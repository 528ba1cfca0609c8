"""Loops and FIFOs as literal times and depths."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowc.dataflow.allocate.fifos import _candidates, _roomy, _steps, fifo_cost, place_fifos
from flowc.dataflow.allocate.loops import Loop, _as_slice, occupancy, shifted
from flowc.dataflow.allocate.timing import Pipeline, fifo_price, stream_bits
from flowc.model.dtypes import UInt
from flowc.units import Fork, Frame, InputPort, OutputPort, Upsample, cost
from flowc.units.graph import Dataflow, Stream

F = Frame(2, 3, 4, UInt(4))


def chain(*units: Any) -> Dataflow:
    names = [u.name for u in units]
    return Dataflow("chain", units, [Stream(a, b) for a, b in pairwise(names)])


def copies(simd: int = 1, behind: int = 1) -> Dataflow:
    """in -> a -> b -> out, of one width but the last."""
    return chain(
        InputPort(name="in", tensor="x", tensor_shape=(1, 4, 2, 3), frame=F, simd=simd), Fork(name="a", frame=F, ways=1, simd=simd),
        Fork(name="b", frame=F, ways=1, simd=simd), OutputPort(name="out", tensor="y", tensor_shape=(1, 4, 2, 3), frame=F, simd=behind),
    )  # fmt: skip


# loops


def test_when_a_loop_starts() -> None:
    """Twelve iterations give a beat each, and take one in every second: reads wait for beats, writes for room."""
    up = Loop(Upsample(name="u", frame=Frame(1, 6, 1, UInt(4)), factor_h=1, factor_w=2))
    assert (up.at.tolist(), up.stages, up.interval) == (list(range(12)), 3, 12)
    assert up.reads[0] == slice(0, 11, 2)
    assert up.early({}, {}, first=5).tolist() == list(range(5, 17))
    beats = np.array([0, 9, 9, 9, 9, 9])
    assert up.early({0: beats}, {}).tolist() == [0, 1, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    # Of the last three beats alone; of a write, three cycles earlier.
    assert up.early({0: np.array([20, 20, 20])}, {}).tolist() == [0, 1, 2, 3, 4, 5, *range(20, 26)]
    assert up.early({}, {0: np.array([30])}).tolist() == [*range(11), 27]
    # In a period of 14 cycles the loop may pause two.
    assert up.early({0: beats}, {}, 14).tolist() == [5, 6, *range(9, 19)]
    assert up.early({0: beats}, {}, 12).tolist() == list(range(7, 19))
    due = np.array([99, 99, 99, 6, 99, 99])
    assert up.late({0: due}, {}, 14).tolist() == [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    assert up.late({}, {0: np.full(12, 20)}, 12).tolist() == list(range(6, 18))
    starts = np.arange(12)
    assert up.read_times(starts, 0).tolist() == [0, 2, 4, 6, 8, 10]
    assert up.write_times(starts, 0).tolist() == list(range(3, 15))


def test_places_that_a_periodic_stream_needs() -> None:
    """A place is free a cycle after its reading."""
    written, read = np.array([0, 1, 2, 3]), np.array([5, 6, 7, 8])
    assert occupancy(written, read, 4) == 6
    assert occupancy(written, read, 100) == 4
    assert occupancy(written, written + 1, 100) == 2
    assert occupancy(written * 2, written * 2 + 1, 100) == 1
    assert occupancy(np.array([0]), np.array([7]), 8) == 1
    assert occupancy(np.array([0]), np.array([8]), 8) == 2
    times = np.array([0, 3, 5])
    assert shifted(times, 1, 10).tolist() == [3, 5, 10]
    assert shifted(times, -1, 10).tolist() == [-5, 0, 3]
    assert shifted(times, 7, 10).tolist() == [23, 25, 30]
    assert shifted(times, 0, 10).tolist() == [0, 3, 5]


@pytest.mark.parametrize(
    ("index", "regular"),
    [([3], False), ([3, 5], True), ([3, 5, 7], True), ([3, 5, 8], False), ([3, 4, 7, 9], False), ([0, 1, 2], True)],
)
def test_regular_indices_are_slices(index: list[int], regular: bool) -> None:
    found = _as_slice(np.array(index))
    assert isinstance(found, slice) == regular
    assert np.arange(20)[found].tolist() == index


# FIFOs


@pytest.mark.parametrize(("depth", "bits", "roomy"), [
    # The least get one place more; shift registers hold 16, then 32 words; look-up table memories 64; blocks what they hold.
    (1, 8, 3), (2, 8, 3), (3, 8, 16), (16, 8, 16), (17, 8, 32), (33, 8, 64), (65, 8, 96),
])  # fmt: skip
def test_depths_cost_what_their_memory_holds(depth: int, bits: int, roomy: int) -> None:
    memory = cost.fifo_memory(depth, bits)
    if memory == "lutram" and depth > 32:
        roomy = -(-depth // 64) * 64
    assert _roomy(depth, bits) == roomy
    assert cost.fifo(max(3, depth), bits, memory).lut == cost.fifo(roomy, bits, memory).lut or depth <= 16


def test_deep_fifos_fill_their_blocks() -> None:
    """512 words of 36 bits are a block; 2,000 of 36 are four, as 2,048 are; 1,100 of 300 bits need less than 2,048."""
    for depth, bits, roomy in ((1900, 36, 2048), (1100, 300, 1100)):
        assert cost.fifo_memory(depth, bits) == "bram"
        same = cost.block_rams(depth, bits) == cost.block_rams(2048, bits)
        assert _roomy(depth, bits) == (2048 if same else depth)
        assert roomy == _roomy(depth, bits)


def test_cheaper_depths() -> None:
    prices = {d: fifo_price(d, 8) for d in (2, 16, 32, 64)}
    assert prices[2] < prices[16] < prices[32] < prices[64]
    assert fifo_price(512, 36) == 12 + 36 + 160
    assert _steps(2, 64, 8) == [16, 32]
    assert _steps(17, 64, 8) == [32]
    assert _steps(16, 64, 8) == [16, 32]
    assert _steps(2, 16, 8) == []


def test_depths_are_tried_by_halving() -> None:
    """What is tried follows from what was possible: here eleven places are enough, ten are not."""
    (stream,) = chain(Fork(name="a", frame=F, ways=1), Fork(name="b", frame=F, ways=1)).streams
    bounds: Any = SimpleNamespace(depths={stream: 100})
    tried = []
    for depth in _candidates(bounds, stream, 8, only_steps=False):
        tried.append(depth)
        if depth >= 11:
            bounds.depths[stream] = depth
    assert tried == [51, 26, 14, 8, 11, 10]
    assert bounds.depths[stream] == 11
    bounds.depths[stream] = 200
    steps = []
    for depth in _candidates(bounds, stream, 8, only_steps=True):
        steps.append(depth)
        if depth >= 33:
            bounds.depths[stream] = depth
    assert steps[0] == 64
    assert bounds.depths[stream] == 64


def test_fifos_cost_what_they_are_made_of() -> None:
    graph = copies(2, 2)
    stream = graph.streams[0]
    assert stream_bits(graph, stream) == 8
    assert fifo_cost(graph, stream) == cost.fifo(2, 8, "srl")
    deep = graph.with_streams({stream: Stream(stream.src, stream.dst, depth=600, memory="bram")})
    assert fifo_cost(deep, deep.streams[0]) == cost.fifo(600, 8, "bram")
    placed = place_fifos(deep, 1.0)
    assert [s.memory for s in placed.streams] == ["bram", "srl", "srl"]
    assert placed.streams[0].depth == 600
    assert place_fifos(deep, 1e9).streams[0].memory != "bram"
    rigid = deep.with_units({"in": deep["in"].with_(structure="pipeline")})
    assert fifo_cost(rigid, rigid.streams[0]) != fifo_cost(deep, deep.streams[0])


def test_the_leader_is_the_slowest_unit_and_the_first_of_equals() -> None:
    line = Pipeline(copies(2, 2))
    assert (line.leader, line.interval, line.order) == ("in", 12, ["in", "a", "b", "out"])
    assert (line.before, line.after) == (set(), {"a", "b", "out"})
    assert sorted(line.neighbours("a")) == ["b", "in"]
    slow = copies(2, 2)
    slow = slow.with_units({"b": slow["b"].with_(overlap=False)})
    line = Pipeline(slow)
    assert (line.leader, line.interval, line.before) == ("b", 12 + 3 + 2, {"in", "a"})
    assert all(d >= 2 for d in line.first_depths().values())
