"""Loops and FIFOs as literal times and depths."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowc.dataflow.allocate import times
from flowc.dataflow.allocate.fifos import _candidates, _roomy, _steps, fifo_cost, place_fifos
from flowc.dataflow.allocate.loops import DenseLoop, Loop, RunLoop
from flowc.dataflow.allocate.times import as_values, occupancy, shifted
from flowc.dataflow.allocate.timing import Pipeline, fifo_price, stream_bits
from flowc.dataflow.allocate.touched import marked
from flowc.model.dtypes import UInt
from flowc.units import Fork, Frame, InputPort, OutputPort, Upsample, cost
from flowc.units.graph import Dataflow, Stream
from flowc.units.runs import Runs

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


@pytest.mark.parametrize("kind", [DenseLoop, RunLoop])
def test_when_a_loop_starts(kind: type[Loop], monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve iterations give a beat each, and take one in every second: reads wait for beats, writes for room."""
    monkeypatch.setattr(times, "_PER_RUN", 0)
    unit = Upsample(name="u", frame=Frame(1, 6, 1, UInt(4)), factor_h=1, factor_w=2)
    up = kind(unit, unit.schedule())
    assert (up.size, up.last_at, up.stages, up.interval) == (12, 11, 3, 12)

    def starts(delays: times.Times) -> list[int]:
        assert isinstance(delays, Runs) == (kind is RunLoop)
        return [*(as_values(delays) + np.arange(12)).tolist()]

    assert starts(up.early({}, {}, first=5)) == list(range(5, 17))
    beats = np.array([0, 9, 9, 9, 9, 9])
    assert starts(up.early({0: beats}, {})) == [0, 1, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    # Of the last three beats alone; of a write, three cycles earlier.
    assert starts(up.early({0: np.array([20, 20, 20])}, {})) == [0, 1, 2, 3, 4, 5, *range(20, 26)]
    assert starts(up.early({}, {0: np.array([30])})) == [*range(11), 27]
    # In a period of 14 cycles the loop may pause two.
    assert starts(up.early({0: beats}, {}, 14)) == [5, 6, *range(9, 19)]
    assert starts(up.early({0: beats}, {}, 12)) == list(range(7, 19))
    due = np.array([99, 99, 99, 6, 99, 99])
    assert starts(up.late({0: due}, {}, 14)) == [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    assert starts(up.late({}, {0: np.full(12, 20)}, 12)) == list(range(6, 18))
    assert as_values(up.read_times(up.unhindered(), 0)).tolist() == [0, 2, 4, 6, 8, 10]
    assert as_values(up.write_times(up.unhindered(7), 0)).tolist() == list(range(10, 22))


def test_places_that_a_periodic_stream_needs() -> None:
    """A place is free a cycle after its reading."""
    written, read = np.array([0, 1, 2, 3]), np.array([5, 6, 7, 8])
    assert occupancy(written, read, 4) == 6
    assert occupancy(written, read, 100) == 4
    assert occupancy(written, written + 1, 100) == 2
    assert occupancy(written * 2, written * 2 + 1, 100) == 1
    assert occupancy(np.array([0]), np.array([7]), 8) == 1
    assert occupancy(np.array([0]), np.array([8]), 8) == 2
    frame = np.array([0, 3, 5])
    for beats, later in ((1, [3, 5, 10]), (-1, [-5, 0, 3]), (7, [23, 25, 30]), (0, [0, 3, 5])):
        assert as_values(shifted(frame, beats, 10)).tolist() == later
        assert as_values(shifted(Runs.of(frame), beats, 10)).tolist() == later


@pytest.mark.parametrize(
    ("port", "cycles", "regular"),
    [
        ([3], 9, True),
        ([3, 5], 6, True),
        ([3, 5, 7], 9, True),
        ([3, 5, 8], 9, False),
        ([3, 4, 7, 9], 10, False),
        ([0, 1, 2], 3, True),
    ],
)
def test_regular_indices_are_slices(port: list[int], cycles: int, regular: bool) -> None:
    """Of a loop whose every iteration takes a beat, and of one in which nothing else happens."""
    numbers = Runs.of(np.array(port))
    at, (_, found) = marked([Runs.line(cycles), numbers], cycles)
    assert isinstance(found, slice) == regular
    assert at[found].tolist() == port
    at, (found,) = marked([numbers], cycles)
    assert (at.tolist(), found) == (port, slice(0, len(port), 1))


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
