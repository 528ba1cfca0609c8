"""Simulation of the pipeline, beat by beat: every unit's loop, every FIFO at its depth, stalls and all.

The pipeline is self-timed: an iteration starts when its input beats are there and its outputs have room as it writes, or in a rigid
pipeline, which else might stand still, as it starts. The times are
the least solution of these waits, found by going over the units until nothing moves; each unit is done for all its
beats at once. If that does not end, `progress` finds out whether the pipeline is stuck: it fires iterations in any
order until none can, which decides it, since the order can't matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowc.dataflow.allocate.loops import loops_of
from flowc.dataflow.allocate.times import (
    FIFO_DELAY,
    LEAST_DEPTH,
    Times,
    end_places,
    last,
    most_held,
    part,
    same,
    together,
)
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
        self.loops = loops_of(graph)
        self.occupancy = dict.fromkeys(graph.streams, 0)
        self._first = {u.name: 0 for u in graph}
        """Earliest start of each unit's next frame: the loop of the one before has ended, and its pipeline is empty."""
        self._read: dict[Stream, Times] = {}
        """When the beats of the frames before were read: as many of them as there are places."""

    def frame(self) -> int:
        """Runs the next frame; the cycle of its last beat out, counted from 1. Raises Deadlock."""
        graph, order = self.graph, [u.name for u in self.graph]
        delays = {name: self.loops[name].unhindered(self._first[name]) for name in order}
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
                new = self._earliest(delays, name)
                if not same(new, delays[name]):
                    delays[name] = new
                    moved.update(s.src for s in graph.into(name))
                    moved.update(s.dst for s in graph.out_of(name))
        self._remember(delays)
        return max(last(delays[u.name]) + self.loops[u.name].last_at for u in graph.outputs) + 1

    def _earliest(self, delays: Mapping[str, Times], name: str) -> Times:
        data = {
            s.dst_port: self.loops[s.src].write_times(delays[s.src], s.src_port) + FIFO_DELAY
            for s in self.graph.into(name)
        }
        free = {}
        for s in self.graph.out_of(name):
            read = self._reads(delays, s)
            beats = read.size - self._places(s)  # that find a place only after a reading
            if beats > 0:
                free[s.src_port] = part(read, 0, beats) + FIFO_DELAY
        return self.loops[name].early(data, free, first=self._first[name])

    def _remember(self, delays: Mapping[str, Times]) -> None:
        for name, loop in self.loops.items():
            self._first[name] = last(delays[name]) + loop.interval
        for s in self.graph.streams:
            written = self.loops[s.src].write_times(delays[s.src], s.src_port)
            read = self._reads(delays, s)
            ahead = read.size - written.size  # beats of earlier frames
            held = min(most_held(written, read) + ahead, self.room[s])  # what is beyond waits at the unit's end
            self.occupancy[s] = max(self.occupancy[s], held)
            self._read[s] = part(read, max(0, read.size - self._places(s)), read.size)

    def _places(self, stream: Stream) -> int:
        """Beats between a stream's units: in its FIFO, and at the end of the unit in front of it."""
        return self.room[stream] + self.loops[stream.src].places

    def _reads(self, delays: Mapping[str, Times], stream: Stream) -> Times:
        """When the beats of a stream are read: the last of the frames before, and this frame's."""
        read = self.loops[stream.dst].read_times(delays[stream.dst], stream.dst_port)
        before = self._read.get(stream)
        return read if before is None else together([before, read])


def progress(graph: Dataflow, depths: Mapping[Stream, int]) -> None:
    """Raises Deadlock unless one frame passes at the given depths."""
    loops = {u.name: u.schedule() for u in graph}
    done = dict.fromkeys(loops, 0)
    places = {s: depths[s] + end_places(graph[s.src]) for s in graph.streams}
    given, taken = dict.fromkeys(graph.streams, 0), dict.fromkeys(graph.streams, 0)
    queue = dict.fromkeys(loops)
    while queue:
        name = next(iter(queue))
        del queue[name]
        loop, limit = loops[name], loops[name].cycles
        for s in graph.into(name):
            reads = loop.reads[s.dst_port]
            if given[s] < reads.size:
                limit = min(limit, reads.get(given[s]))
        for s in graph.out_of(name):
            writes = loop.writes[s.src_port]
            if taken[s] + places[s] < writes.size:
                limit = min(limit, writes.get(taken[s] + places[s]))
        if limit <= done[name]:
            continue
        done[name] = limit
        for s in graph.into(name):
            taken[s] = loop.reads[s.dst_port].count_below(limit)
            queue[s.src] = None
        for s in graph.out_of(name):
            given[s] = loop.writes[s.src_port].count_below(limit)
            queue[s.dst] = None
        queue[name] = None
    stuck = [n for n, loop in loops.items() if done[n] < loop.cycles]
    if stuck:
        full = [f"{s.src} -> {s.dst} ({depths[s]})" for s in graph.streams if given[s] - taken[s] == places[s]]
        raise Deadlock(
            f"the pipeline is stuck: {', '.join(stuck[:5])} can't go on; full FIFOs: {', '.join(full[:5]) or 'none'}"
        )
