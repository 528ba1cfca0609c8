"""Simulation of the pipeline, beat by beat: every unit's loop, every FIFO at its depth, stalls and all.

The pipeline is self-timed: an iteration starts when its input beats are there and its outputs have room. The times are
the least solution of these waits, found by going over the units until nothing moves; each unit is done for all its
beats at once. If that does not end, `progress` finds out whether the pipeline is stuck: it fires iterations in any
order until none can, which decides it, since the order can't matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowc.allocate.loops import FIFO_DELAY, LEAST_DEPTH, Loop, Times
from flowc.dataflow import Dataflow, Stream
from flowc.errors import FlowcError

__all__ = ["Deadlock", "Simulation", "progress", "simulate"]


class Deadlock(FlowcError):
    """The pipeline is stuck: no unit can take its next step."""


@dataclass(frozen=True)
class Simulation:
    """What was seen.

    Attributes:
        interval: cycles between the last two frames at the output; None for a single frame.
        latency: cycles from the start to the last beat of the first frame.
        ends: cycle of each frame's last beat out.
        occupancy: per stream: most beats that were held at once.
    """

    interval: int | None
    latency: int
    ends: tuple[int, ...]
    occupancy: Mapping[Stream, int]


def simulate(graph: Dataflow, frames: int = 4, *, depths: Mapping[Stream, int] | None = None) -> Simulation:
    """Runs ``frames`` frames, offered as fast as they are taken, through the empty pipeline.

    Args:
        graph: folded, with width converters and sized FIFOs.
        frames: how many; the interval of the last two is the steady state once the pipeline is full.
        depths: other FIFO depths than the streams' own.

    Raises:
        Deadlock: at these depths the frames do not pass.
    """
    room = {s: s.depth or LEAST_DEPTH for s in graph.streams} | dict(depths or {})
    loops = {u.name: Loop(u, frames) for u in graph}
    order = [u.name for u in graph]
    starts: dict[str, Times] = {}
    moved = set(order)
    sweeps = 0
    while moved:
        sweeps += 1
        if sweeps % 64 == 0:
            progress(graph, room)
        for name in order + order[::-1]:
            if name not in moved:
                continue
            moved.discard(name)
            new = _earliest(graph, loops, starts, name, room)
            if name not in starts or not np.array_equal(new, starts[name]):
                starts[name] = new
                moved.update(s.src for s in graph.into(name))
                moved.update(s.dst for s in graph.out_of(name))
    last = np.max([starts[u.name].reshape(frames, -1)[:, -1] for u in graph.outputs], axis=0)
    ends = tuple(int(t) + 1 for t in last)
    held = {
        s: _held(
            loops[s.src].write_times(starts[s.src], s.src_port), loops[s.dst].read_times(starts[s.dst], s.dst_port)
        )
        for s in graph.streams
    }
    return Simulation(ends[-1] - ends[-2] if frames > 1 else None, ends[0], ends, held)


def _earliest(
    graph: Dataflow, loops: Mapping[str, Loop], starts: Mapping[str, Times], name: str, room: Mapping[Stream, int]
) -> Times:
    data, free = {}, {}
    for s in graph.into(name):
        if s.src in starts:
            data[s.dst_port] = loops[s.src].write_times(starts[s.src], s.src_port) + FIFO_DELAY
    for s in graph.out_of(name):
        if s.dst in starts:
            read = loops[s.dst].read_times(starts[s.dst], s.dst_port)
            if read.size > room[s]:
                free[s.src_port] = read[: read.size - room[s]] + FIFO_DELAY
    return loops[name].early(data, free)


def _held(written: Times, read: Times) -> int:
    """Most beats that are in a FIFO at once."""
    return int((np.arange(1, written.size + 1) - np.searchsorted(read, written, side="left")).max())


def progress(graph: Dataflow, depths: Mapping[Stream, int]) -> None:
    """Raises Deadlock unless one frame passes at the given depths."""
    loops = {u.name: u.schedule() for u in graph}
    done = dict.fromkeys(loops, 0)
    given, taken = dict.fromkeys(graph.streams, 0), dict.fromkeys(graph.streams, 0)
    queue = dict.fromkeys(loops)
    while queue:
        name = next(iter(queue))
        del queue[name]
        loop, limit = loops[name], loops[name].cycles
        for s in graph.into(name):
            reads = loop.reads[s.dst_port]
            if given[s] < reads.size:
                limit = min(limit, int(reads[given[s]]))
        for s in graph.out_of(name):
            writes = loop.writes[s.src_port]
            if taken[s] + depths[s] < writes.size:
                limit = min(limit, int(writes[taken[s] + depths[s]]))
        if limit <= done[name]:
            continue
        done[name] = limit
        for s in graph.into(name):
            taken[s] = int(np.searchsorted(loop.reads[s.dst_port], limit))
            queue[s.src] = None
        for s in graph.out_of(name):
            given[s] = int(np.searchsorted(loop.writes[s.src_port], limit))
            queue[s.dst] = None
        queue[name] = None
    stuck = [n for n, loop in loops.items() if done[n] < loop.cycles]
    if stuck:
        full = [f"{s.src} -> {s.dst} ({depths[s]})" for s in graph.streams if given[s] - taken[s] == depths[s]]
        raise Deadlock(
            f"the pipeline is stuck: {', '.join(stuck[:5])} can't go on; full FIFOs: {', '.join(full[:5]) or 'none'}"
        )
