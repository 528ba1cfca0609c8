"""Pipelines that stand still as a whole, as those of SystemVerilog do: the model against them clock cycle by clock cycle."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate, simulate
from flowc.dataflow.allocate.fifos import _lean, fifo_cost, least_depths
from flowc.dataflow.allocate.loops import DenseLoop, Loop
from flowc.dataflow.allocate.times import LEAST_DEPTH
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import Activate, pipeline
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import Net, residual
from tests.dataflow.allocate.stepper import step

FRAMES = 4
ZCU104 = load_target("zcu104")


def add_activation(net: Net, name: str, dtype: UInt) -> None:
    net.add(Activate(name=name, frame=net.frame, activation=net._activation(net.frame.c, dtype, net.frame.dtype)))


def serial(graph: Dataflow) -> Dataflow:
    """As SystemVerilog, an element at a time everywhere."""
    graph = RtlBackend().prepare(graph)
    folding = {u.name: {"pe": 1, "simd": 1} if u.kind == "mvtu" else {"pe": 1} for u in graph if "pe" in u.folding()}
    return allocate(graph, ZCU104, clock_mhz=100, folding=folding).graph


def waiting() -> Dataflow:
    """A matrix that gives now and then, two long pipelines, and a matrix that takes what waits for it all at once."""
    net = Net(1, 3, 2, UInt(2))
    net.conv(8, SInt(2), UInt(8), k=1)
    add_activation(net, "act0", UInt(8))
    add_activation(net, "act1", UInt(8))
    net.conv(2, SInt(2), None, k=1)
    return serial(net.done())


def test_a_bubble_that_does_not_close_makes_a_frame_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two cycles are those of the hardware. A model of pipelines that close up does not know them; the model of rigid ones does."""
    graph = waiting()
    depths = dict.fromkeys(graph.streams, LEAST_DEPTH)
    hardware = step(graph, depths, FRAMES)
    assert hardware is not None
    assert hardware[0] <= simulate(graph, 1, depths=depths).latency
    begun = Loop.__init__

    def closing_up(self, unit, schedule, size) -> None:  # type: ignore[no-untyped-def]
        begun(self, unit, schedule, size)
        self.places, self.room_at = 0, self.stages

    monkeypatch.setattr(Loop, "__init__", closing_up)
    assert simulate(graph, 1, depths=depths).latency == hardware[0] - 2


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=12, deadline=None)
def test_hardware_is_never_later_than_the_model(seed: int) -> None:
    """At the depths that it gets, at the least ones, and at others: frame by frame; and at the first two as fast as its slowest unit."""
    random = Random(seed)
    graph = random_graph(random)
    slowest = max(u.interval for u in graph)
    sized, least = {s: s.depth or 0 for s in graph.streams}, least_depths(graph)
    for depths in (sized, least):
        predicted, hardware = simulate(graph, FRAMES, depths=depths).ends, step(graph, depths, FRAMES)
        assert hardware is not None
        assert all(seen <= said for seen, said in zip(hardware, predicted, strict=True))
        assert hardware[-1] - hardware[-2] == predicted[-1] - predicted[-2] == slowest
    other = {s: d + random.randint(0, 4) for s, d in least.items()}
    hardware = step(graph, other, FRAMES)
    assert hardware is not None
    assert all(seen <= said for seen, said in zip(hardware, simulate(graph, FRAMES, depths=other).ends, strict=True))


def random_graph(random: Random) -> Dataflow:
    net = Net(
        random.choice((2, 4)), random.choice((3, 4)), random.choice((1, 2, 4)), UInt(2), seed=random.randrange(999)
    )
    for number in range(random.randint(1, 3)):
        kind = random.choice(("conv", "pointwise", "depthwise", "shortcut", "activation"))
        if kind == "conv":
            net.conv(random.choice((2, 4)), SInt(2), UInt(random.choice((2, 8))), pad=1)
        elif kind == "depthwise":
            net.depthwise(SInt(2), UInt(2))
        elif kind == "pointwise":
            net.conv(random.choice((2, 4, 8)), SInt(2), UInt(8), k=1)
        elif kind == "activation":
            add_activation(net, f"act{number}", UInt(random.choice((2, 8))))
        else:
            fork = net.fork()
            net.join(net.conv(net.frame.c, SInt(2), net.frame.dtype, pad=1), fork, 1, UInt(2))
    net.conv(2, SInt(2), None, k=1)
    graph = net.done()
    if random.random() < 0.5:
        return serial(graph)
    return allocate(RtlBackend().prepare(graph), ZCU104, clock_mhz=100, fps=random.choice((2e5, 1e6, None))).graph


def test_room_counts_from_the_start_of_an_iteration() -> None:
    """A rigid pipeline asks for room as it begins, one that closes up as it writes; the first has two places beside its FIFO."""
    unit = waiting()["act0"]
    rigid = DenseLoop(unit, unit.schedule())
    closing = DenseLoop(unit.with_(structure="loop"), unit.schedule())
    assert (rigid.places, rigid.room_at, closing.places, closing.room_at) == (2, 0, 0, closing.stages)
    delays = rigid.unhindered()
    assert (rigid.room_times(delays, 0) == rigid.write_times(delays, 0) - rigid.stages).all()
    assert (closing.room_times(delays, 0) == closing.write_times(delays, 0)).all()
    assert rigid.early({}, {0: rigid.room_times(delays, 0) + 5}, first=0).tolist() == [5] * rigid.size


@pytest.mark.parametrize(
    ("depth", "bits", "given"),
    [(1, 4, 2), (2, 8, 2), (2, 64, 3), (3, 8, 4), (5, 8, 8), (9, 64, 16), (17, 8, 32), (33, 8, 64)],
)
def test_pointers_are_as_short_as_they_can_be(depth: int, bits: int, given: int) -> None:
    """Two places are registers, which are cheaper for few bits; all memories of up to 32 places take the same tables."""
    assert _lean(depth, bits) == given
    if depth == LEAST_DEPTH:
        two, three = (pipeline.fifo(d, bits, "lutram") for d in (2, 3))
        assert ((two.lut or 0) + (two.ff or 0) / 2 <= (three.lut or 0) + (three.ff or 0) / 2) == (given == 2)


def test_a_network_gets_such_depths() -> None:
    graph = allocate(RtlBackend().prepare(residual(1, 6, 4)), ZCU104, clock_mhz=100, fps=2e4).graph
    depths = {s.depth for s in graph.streams}
    assert depths & {2, 4, 8}
    assert all((fifo_cost(graph, s).lut or 0) > 0 for s in graph.streams)
