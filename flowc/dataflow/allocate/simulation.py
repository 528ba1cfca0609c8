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

from flowc.dataflow.allocate.loops import FIFO_DELAY, LEAST_DEPTH, Loop, Times
from flowc.errors import FlowcError
from flowc.units.graph import Dataflow, Stream

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


def simulate(
    graph: Dataflow, frames: int = 4, *, depths: Mapping[Stream, int] | None = None, settled: int = 0
) -> Simulation:
    """Runs ``frames`` frames, offered as fast as they are taken, through the empty pipeline.

    The interval of the last two is the steady state once the pipeline has filled: equally slow units in a row fill what is in front of
    them one after the other, and until then the interval may be above the steady one.

    Args:
        graph: folded, with width converters and sized FIFOs.
        frames: how many at most.
        depths: other FIFO depths than the streams' own.
        settled: stops after a frame that came at most so many cycles behind the one before.

    Raises:
        Deadlock: at these depths the frames do not pass.
    """
    run = _Run(graph, {s: s.depth or LEAST_DEPTH for s in graph.streams} | dict(depths or {}))
    ends: list[int] = []
    while len(ends) < frames:
        ends.append(run.frame())
        if len(ends) > 1 and ends[-1] - ends[-2] <= settled:
            break
    return Simulation(ends[-1] - ends[-2] if len(ends) > 1 else None, ends[0], tuple(ends), run.occupancy)


class _Run:
    """The pipeline frame by frame. No beat waits for one of a later frame, so each frame's times are final when it is done.

    Attributes:
        occupancy: per stream: most beats held at once, so far.
    """

    def __init__(self, graph: Dataflow, room: Mapping[Stream, int]) -> None:
        self.graph = graph
        self.room = room
        self.loops = {u.name: Loop(u) for u in graph}
        self.occupancy = dict.fromkeys(graph.streams, 0)
        self._first = {u.name: 0 for u in graph}
        """Earliest start of each unit's next frame: the loop of the one before has ended, and its pipeline is empty."""
        self._read: dict[Stream, Times] = {s: np.zeros(0, np.int64) for s in graph.streams}
        """When the beats of the frames before were read: the last ``room`` of them."""

    def frame(self) -> int:
        """Runs the next frame; the cycle of its last beat out, counted from 1. Raises Deadlock."""
        graph, order = self.graph, [u.name for u in self.graph]
        starts = {name: self.loops[name].at + self._first[name] for name in order}
        moved = set(order)
        sweeps = 0
        while moved:
            sweeps += 1
            if sweeps % 64 == 0:
                progress(graph, self.room)
            for name in order + order[::-1]:
                if name not in moved:
                    continue
                moved.discard(name)
                new = self._earliest(starts, name)
                if not np.array_equal(new, starts[name]):
                    starts[name] = new
                    moved.update(s.src for s in graph.into(name))
                    moved.update(s.dst for s in graph.out_of(name))
        self._remember(starts)
        return max(int(starts[u.name][-1]) for u in graph.outputs) + 1

    def _earliest(self, starts: Mapping[str, Times], name: str) -> Times:
        data = {
            s.dst_port: self.loops[s.src].write_times(starts[s.src], s.src_port) + FIFO_DELAY
            for s in self.graph.into(name)
        }
        free = {}
        for s in self.graph.out_of(name):
            read, before = self.loops[s.dst].read_times(starts[s.dst], s.dst_port), self._read[s]
            beats = read.size - self.room[s] + before.size  # that find a place only after a reading
            if beats > 0:
                free[s.src_port] = np.concatenate([before, read])[:beats] + FIFO_DELAY
        return self.loops[name].early(data, free, first=self._first[name])

    def _remember(self, starts: Mapping[str, Times]) -> None:
        for name, loop in self.loops.items():
            self._first[name] = int(starts[name][-1] - loop.at[-1]) + loop.interval
        for s in self.graph.streams:
            written = self.loops[s.src].write_times(starts[s.src], s.src_port)
            read = np.concatenate([self._read[s], self.loops[s.dst].read_times(starts[s.dst], s.dst_port)])
            ahead = self._read[
                s
            ].size  # beats of earlier frames, all of them read before the first of ``read`` or in it
            held = np.arange(1, written.size + 1) + ahead - np.searchsorted(read, written, side="left")
            self.occupancy[s] = max(self.occupancy[s], int(held.max()))
            self._read[s] = read[-self.room[s] :]


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
