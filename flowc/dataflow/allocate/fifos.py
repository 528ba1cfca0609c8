"""FIFO depths and memories: the cheapest that keep the pipeline's interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from flowc import progress
from flowc.dataflow.allocate.times import LEAST_DEPTH
from flowc.dataflow.allocate.timing import Bounds, Pipeline, fifo_price, stream_bits
from flowc.units import pipeline
from flowc.units.cost import LUTS_PER_BLOCK, Resources, block_rams, fifo, fifo_memory
from flowc.units.graph import Dataflow, Stream

__all__ = ["Fifo", "fifo_cost", "least_depths", "place_fifos", "size_fifos"]

WORK = 6_000_000
"""Loop iterations that the search for smaller depths may look at: a fraction of a second."""

_PASSES = 6

_CHEAP_MEMORY = 32
"""Places that a memory in look-up tables has at least."""


class Fifo(NamedTuple):
    """A stream's FIFO, its memory aside.

    Attributes:
        depth: beats that it holds; one that is not sized counts as the least.
        bits: per beat.
        rigid: whether it is made as a rigid pipeline's are (`Unit.structure`).
    """

    depth: int
    bits: int
    rigid: bool

    @classmethod
    def of(cls, graph: Dataflow, stream: Stream) -> Fifo:
        """A stream's."""
        rigid = graph[stream.src].structure == "pipeline"
        return cls(stream.depth or LEAST_DEPTH, stream_bits(graph, stream), rigid)

    def cost(self, memory: str) -> Resources:
        """What it costs in a memory."""
        made = pipeline.fifo if self.rigid else fifo
        return made(self.depth, self.bits, memory)


def fifo_cost(graph: Dataflow, stream: Stream) -> Resources:
    """What a stream's FIFO costs; one that is not sized counts as the least."""
    return Fifo.of(graph, stream).cost(stream.memory or "srl")


def size_fifos(graph: Dataflow, work: int = WORK) -> Dataflow:
    """``graph`` with a depth and a memory on every stream: `least_depths`, rounded up to what the memories hold anyway."""
    depths = least_depths(graph, work)
    sized = graph.with_streams({s: replace(s, depth=_given(graph, s, d)) for s, d in depths.items()})
    return place_fifos(sized, LUTS_PER_BLOCK)


def least_depths(graph: Dataflow, work: int = WORK) -> dict[Stream, int]:
    """FIFO depths that keep the pipeline's interval.

    They are safe (see `flowc.dataflow.allocate.timing`), and as small as a search of ``work`` loop iterations finds: first down
    the steps at which a FIFO gets cheaper, dearest FIFO first, then beat by beat. Where a few passes over the pipeline
    already take as much, the first safe depths stay.
    """
    progress.at("depths of FIFOs")
    line = Pipeline(graph)
    depths = line.first_depths()
    if sum(loop.size for loop in line.loops.values()) * _PASSES <= work:
        depths = _reduced(line, depths, work)
    return depths


def _given(graph: Dataflow, stream: Stream, depth: int) -> int:
    """The depth that a FIFO gets which needs ``depth``."""
    made = _lean if graph[stream.src].structure == "pipeline" else _roomy
    return made(depth, stream_bits(graph, stream))


def _lean(depth: int, bits: int) -> int:
    """The cheapest depth in SystemVerilog: two places are registers, and among memories of up to 32 only pointers differ.

    There are two flip-flops to a table in all devices of note.
    """
    if depth <= LEAST_DEPTH:
        return min((LEAST_DEPTH, LEAST_DEPTH + 1), key=lambda d: _tables(pipeline.fifo(d, bits, "lutram")))
    return 1 << (depth - 1).bit_length() if depth <= _CHEAP_MEMORY else _roomy(depth, bits)


def _tables(used: Resources) -> float:
    return (used.lut or 0) + (used.ff or 0) / 2


def _roomy(depth: int, bits: int) -> int:
    """The greatest depth that takes no more memory: shift registers and memories come in steps, block RAMs in powers of two.

    The shortest get one place more: a pipeline of HLS may not close up when it stalls, and where frames overlap there is no pause in
    which it would catch up.
    """
    if depth <= LEAST_DEPTH:
        return LEAST_DEPTH + 1
    memory, power = fifo_memory(depth, bits), 1 << (depth - 1).bit_length()
    if memory == "srl":
        step = 16 if depth <= 16 else 32
    elif memory == "lutram":
        step = 32 if depth <= 32 else 64
    else:
        step = power if block_rams(depth, bits) == block_rams(power, bits) else 1
    return -(-depth // step) * step


def _reduced(line: Pipeline, depths: dict[Stream, int], work: int) -> dict[Stream, int]:
    bounds = Bounds(line, depths)
    limit = bounds.work + work
    for only_steps in (True, False):
        for stream in sorted(line.graph.streams, key=lambda s: -fifo_price(bounds.depths[s], line.bits[s])):
            for depth in _candidates(bounds, stream, line.bits[stream], only_steps):
                if bounds.work > limit:
                    break
                bounds.try_depth(stream, depth)
    return bounds.depths


def place_fifos(graph: Dataflow, luts_per_block: float, luts_per_ultra: float | None = None) -> Dataflow:
    """``graph`` with the cheapest memory on every sized stream; what blocks are worth as for `fifo_memory`."""
    sizes = {s: Fifo.of(graph, s) for s in graph.streams}
    chosen = {f: fifo_memory(f.depth, f.bits, luts_per_block, luts_per_ultra) for f in set(sizes.values())}
    return graph.with_streams({s: replace(s, memory=chosen[f]) for s, f in sizes.items()})


def _candidates(bounds: Bounds, stream: Stream, bits: int, only_steps: bool) -> Iterator[int]:
    """Depths to try, each after the last one's outcome: bisection between the least depth and the one that is."""
    low = LEAST_DEPTH
    while low < bounds.depths[stream]:
        now = bounds.depths[stream]
        if only_steps:
            steps = _steps(low, now, bits)
            if not steps:
                return
            depth = steps[(len(steps) - 1) // 2]
        else:
            depth = (low + now) // 2
        yield depth
        if bounds.depths[stream] != depth:
            low = depth + 1


def _steps(low: int, now: int, bits: int) -> list[int]:
    """Depths from ``low`` on that are cheaper than ``now``, each the greatest of its price."""
    price = fifo_price(now, bits)
    depths = sorted(
        {d for d in (16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192, 16384) if low <= d < now}
    )
    return [d for d in depths if fifo_price(d, bits) < price]
