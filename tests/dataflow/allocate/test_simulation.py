"""The simulation against a clock-by-clock one, and what it says of FIFO depths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowc.dataflow.allocate import Deadlock, allocate, simulate
from flowc.dataflow.allocate.fifos import fifo_cost, least_depths, place_fifos, size_fifos
from flowc.dataflow.allocate.times import LEAST_DEPTH
from flowc.dataflow.allocate.timing import stream_bits
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units.cost import fifo, fifo_memory
from flowc.units.graph import Dataflow, Stream
from tests.dataflow.allocate.nets import Net, residual
from tests.dataflow.allocate.stepper import step

ULTRA96 = load_target("ultra96")


def chain() -> Dataflow:
    net = Net(8, 8, 3, UInt(4))
    net.conv(8, SInt(2), UInt(2))
    net.pool()
    net.conv(8, SInt(2), UInt(2))
    net.flatten()
    net.matrix(4, SInt(2), None)
    return net.done("chain")


def strided() -> Dataflow:
    net = Net(9, 7, 2, UInt(2))
    net.conv(4, SInt(2), UInt(2), stride=2, pad=1)
    net.depthwise(SInt(2), UInt(2))
    net.conv(6, SInt(2), None, k=1)
    return net.done("strided")


def folded(graph: Dataflow, fps: float | None) -> Dataflow:
    return allocate(graph, ULTRA96, clock_mhz=100, fps=fps).graph


CASES = [
    (chain, 8_000), (chain, 60_000), (chain, None), (strided, 20_000), (strided, None), (lambda: residual(1, 6, 4), 20_000),
    (lambda: residual(2, 6, 4), 60_000),
]  # fmt: skip


@pytest.mark.parametrize(("make", "fps"), CASES)
def test_interval_is_that_of_every_clock_cycle(make, fps) -> None:  # type: ignore[no-untyped-def]
    graph = folded(make(), fps)
    depths = {s: s.depth or 2 for s in graph.streams}
    seen = simulate(graph, 4, depths=depths)
    ends = step(graph, depths, 4)
    assert ends is not None
    assert seen.interval == ends[3] - ends[2] == max(u.interval for u in graph)
    # The simulation's pipelines of HLS close up bubbles when they stall; the stepper's do not.
    assert ends[0] == pytest.approx(seen.latency, rel=0.03)


@pytest.mark.parametrize(("make", "fps"), CASES)
def test_depths_hold_what_the_simulation_sees(make, fps) -> None:  # type: ignore[no-untyped-def]
    graph = folded(make(), fps)
    seen = simulate(graph, 4)
    assert all(seen.occupancy[s] <= (s.depth or 0) for s in graph.streams)
    endless = simulate(graph, 1, depths=dict.fromkeys(graph.streams, 10**6))
    assert endless.latency <= seen.latency
    assert endless.interval is None


@pytest.mark.parametrize(("make", "fps"), CASES)
def test_one_place_less_lowers_the_rate(make, fps) -> None:  # type: ignore[no-untyped-def]
    graph = folded(make(), fps)
    depths = least_depths(graph, work=10**9)
    interval = max(u.interval for u in graph)
    for stream in graph.streams:
        if depths[stream] > LEAST_DEPTH:
            assert slower(graph, {**depths, stream: depths[stream] - 1}, interval)


def slower(graph: Dataflow, depths: dict[Stream, int], interval: int) -> bool:
    try:
        ends = simulate(graph, 8, depths=depths).ends
    except Deadlock:
        return True
    return ends[7] - ends[6] > interval


def test_too_small_a_skip_is_a_deadlock() -> None:
    graph = folded(residual(1, 6, 4), 20_000)
    skip = next(s for s in graph.streams if graph[s.src].kind == "fork" and graph[s.dst].kind == "join")
    with pytest.raises(Deadlock, match="stuck") as error:
        simulate(graph, 2, depths={skip: 2})
    assert f"{skip.src} -> {skip.dst} (2)" in str(error.value)
    assert step(graph, {**{s: s.depth or 2 for s in graph.streams}, skip: 2}, 2) is None


def test_a_slow_reader_sets_the_interval() -> None:
    graph = folded(chain(), 60_000)
    slowest = max(graph, key=lambda u: u.interval)
    assert simulate(graph, 3).interval == slowest.interval


def test_every_stream_gets_depth_memory_and_cost() -> None:
    graph = folded(residual(1, 8, 8), 20_000)
    bare = graph.with_streams({s: replace(s, depth=None, memory=None) for s in graph.streams})
    sized = size_fifos(bare)
    assert [(s.depth, s.memory) for s in sized.streams] == [(s.depth, s.memory) for s in size_fifos(sized).streams]
    for s in sized.streams:
        assert s.depth is not None
        assert s.depth >= LEAST_DEPTH
        assert s.memory in ("srl", "lutram", "bram")
        assert (fifo_cost(sized, s).lut or 0) > 0
    cheap, dear = (place_fifos(sized, worth) for worth in (-100, 10**6))
    assert any(s.memory == "bram" for s in cheap.streams)
    assert all(s.memory != "bram" for s in dear.streams)


@pytest.mark.parametrize(
    ("depth", "bits", "memory"),
    [(2, 8, "srl"), (16, 64, "srl"), (64, 64, "lutram"), (32, 6, "srl"), (1024, 36, "bram"), (4096, 72, "uram")],
)
def test_fifos_take_the_cheapest_memory(depth: int, bits: int, memory: str) -> None:
    assert fifo_memory(depth, bits, luts_per_ultra=1600) == memory
    costs = {style: fifo(depth, bits, style) for style in ("srl", "lutram", "bram", "uram")}
    prices = {k: (c.lut or 0) + 160 * (c.bram18 or 0) + 1600 * (c.uram or 0) for k, c in costs.items()}
    assert min(prices, key=lambda k: prices[k]) == memory


def test_depths_are_rounded_up_to_what_costs_the_same() -> None:
    net = residual(1, 8, 8)
    graph = folded(net, 20_000)
    depths = least_depths(graph)
    for s in graph.streams:
        bits = stream_bits(graph, s)
        assert (s.depth or 0) >= depths[s]
        assert s.memory is not None
        same, more = fifo(depths[s], bits, s.memory), fifo(s.depth or 0, bits, s.memory)
        assert same.bram18 == more.bram18
        assert (more.lut or 0) - (same.lut or 0) <= (2 if s.memory == "srl" else 4)  # a pointer's bits
