"""FIFO depths and memories: the cheapest that keep the pipeline's interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flowc.allocate.loops import LEAST_DEPTH
from flowc.allocate.timing import Bounds, Pipeline
from flowc.dataflow import Dataflow, Stream
from flowc.units.cost import LUTS_PER_BLOCK, Resources, fifo, fifo_memory

__all__ = ["fifo_cost", "place_fifos", "size_fifos", "stream_bits"]

WORK = 6_000_000
"""Loop iterations that the search for smaller depths may look at: a fraction of a second."""


def stream_bits(graph: Dataflow, stream: Stream) -> int:
    """Bits per beat."""
    return graph[stream.src].out_widths[stream.src_port] * graph.frame(stream).dtype.bits


def fifo_cost(graph: Dataflow, stream: Stream) -> Resources:
    """What a stream's FIFO costs; one that is not sized counts as the least."""
    return fifo(stream.depth or LEAST_DEPTH, stream_bits(graph, stream), stream.memory or "srl")


def size_fifos(graph: Dataflow, work: int = WORK) -> Dataflow:
    """``graph`` with a depth and a memory on every stream.

    The depths are safe (see `flowc.allocate.timing`) and as small as a search of ``work`` loop iterations finds: first
    down the steps at which a FIFO gets cheaper, dearest FIFO first, then beat by beat.
    """
    line = Pipeline(graph)
    bounds = Bounds(line, line.first_depths())
    bits = {s: stream_bits(graph, s) for s in graph.streams}
    limit = bounds.work + work
    for only_steps in (True, False):
        for stream in sorted(graph.streams, key=lambda s: -_price(bounds.depths[s], bits[s])):
            for depth in _candidates(bounds, stream, bits[stream], only_steps):
                if bounds.work > limit:
                    break
                bounds.try_depth(stream, depth)
    return place_fifos(graph.with_streams({s: replace(s, depth=d) for s, d in bounds.depths.items()}))


def place_fifos(graph: Dataflow, luts_per_block: float = LUTS_PER_BLOCK, *, uram: bool = False) -> Dataflow:
    """``graph`` with the cheaper memory on every sized stream, a block RAM being worth so many look-up tables."""
    return graph.with_streams(
        {
            s: replace(s, memory=fifo_memory(s.depth or LEAST_DEPTH, stream_bits(graph, s), luts_per_block, uram=uram))
            for s in graph.streams
        }
    )


def _price(depth: int, bits: int) -> int:
    """Cost of a FIFO in look-up tables, block RAMs converted."""
    used = fifo(depth, bits, fifo_memory(depth, bits))
    return (used.lut or 0) + LUTS_PER_BLOCK * (used.bram18 or 0)


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
    price = _price(now, bits)
    depths = sorted({d for d in (16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192, 16384) if low <= d < now})
    return [d for d in depths if _price(d, bits) < price]
