"""A periodic schedule of the whole pipeline, and the FIFO depths that it needs.

Every unit repeats its loop once per interval T (the cycles of the slowest unit). The slowest unit, the leader, runs without a pause.
At first, what feeds it works as late as it can, and what it feeds as early as it can. Then passes over the units alternate: in
stream order, each unit works as early as the room in its output FIFOs allows, which empties its input FIFOs; in the opposite
order, each works as late as the room in its input FIFOs allows, which empties its output FIFOs. No pass deepens a FIFO.
Times are exact to the beat.

Depths read off a schedule are safe: the pipeline itself starts every iteration as soon as beats and room are there, and
since more of either never makes anything later, no iteration starts later than in the schedule. So with these depths
the pipeline can't deadlock and keeps the interval T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from flowc.dataflow import Dataflow, Stream
from flowc.units import Unit

__all__ = ["FIFO_DELAY", "LEAST_DEPTH", "Timing", "occupancy", "periodic_timing"]

FIFO_DELAY = 1
"""Cycles from the writing of a beat to a FIFO to its earliest reading."""

LEAST_DEPTH = 2
"""Least depth of a FIFO: with a single place, writing and reading would have to take turns."""

_NEVER = np.int64(1) << 60
Times = NDArray[np.int64]


@dataclass(frozen=True)
class Timing:
    """When each stream's beats of one frame are written and read, in cycles; every frame ``interval`` cycles later.

    Attributes:
        interval: cycles between frames.
        latency: cycles from the first write of a frame to its last read.
        depths: beats that each stream's FIFO holds at most.
        writes, reads: per stream.
    """

    interval: int
    latency: int
    depths: Mapping[Stream, int]
    writes: Mapping[Stream, Times]
    reads: Mapping[Stream, Times]


def occupancy(written: Times, read: Times, interval: int) -> int:
    """Places that a FIFO needs. A place that is read can be written again in the next cycle."""
    frames, within = np.divmod(written - read[0], interval)
    gone = frames * read.size + np.searchsorted(read - read[0], within, side="left")
    return int((np.arange(1, written.size + 1) - gone).max())


def _shifted(times: Times, beats: int, interval: int) -> Times:
    """The times of the beats that come ``beats`` later (earlier if negative) than each beat of a frame."""
    frames, at = np.divmod(np.arange(times.size) + beats, times.size)
    result: Times = times[at] + frames * interval
    return result


class _Unit:
    """One unit's loop: its earliest and latest starts under bounds on the times of its beats."""

    def __init__(self, unit: Unit, interval: int) -> None:
        schedule = unit.schedule()
        self.stages = unit.stages
        self.slack = interval - schedule.cycles
        ports = [*schedule.reads, *schedule.writes]
        if sum(p.size for p in ports) * 2 > schedule.cycles:
            self.at = np.arange(schedule.cycles)
        else:
            self.at = np.unique(np.concatenate(ports))
            ports = [np.searchsorted(self.at, p) for p in ports]
        self.reads, self.writes = ports[: len(schedule.reads)], ports[len(schedule.reads) :]

    def early(self, read_from: Mapping[int, Times], write_from: Mapping[int, Times]) -> Times:
        """Earliest starts of iterations, none of whose beats move before the given times (per port)."""
        ready = np.full(self.at.size, -_NEVER)
        for port, times in read_from.items():
            ready[self.reads[port]] = np.maximum(ready[self.reads[port]], times)
        for port, times in write_from.items():
            ready[self.writes[port]] = np.maximum(ready[self.writes[port]], times - self.stages)
        ready -= self.at
        return np.maximum(np.maximum.accumulate(ready), ready.max() - self.slack) + self.at

    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times]) -> Times:
        """Latest starts of iterations, none of whose beats move after the given times (per port)."""
        due = np.full(self.at.size, _NEVER)
        for port, times in read_until.items():
            due[self.reads[port]] = np.minimum(due[self.reads[port]], times)
        for port, times in write_until.items():
            due[self.writes[port]] = np.minimum(due[self.writes[port]], times - self.stages)
        due -= self.at
        return np.minimum(np.minimum.accumulate(due[::-1])[::-1], due.min() + self.slack) + self.at


class _Pipeline:
    """The times of all units, and the passes over them."""

    def __init__(self, graph: Dataflow, leader: str, interval: int) -> None:
        self.graph = graph
        self.interval = interval
        self.units = {u.name: _Unit(u, interval) for u in graph}
        self.order = [u.name for u in graph if u.name != leader]
        self.writes: dict[Stream, Times] = {}
        self.reads: dict[Stream, Times] = {}
        self.depths: dict[Stream, int] = {}
        self.settle(leader, self.units[leader].at)
        before = nx.ancestors(graph.graph, leader)
        for name in reversed(self.order):
            if name in before:
                self.settle(name, self.units[name].late({}, self.write_until(name)))
        waiting = []
        for name in self.order:
            if name in before:
                continue
            ready = self.read_from(name)
            if ready:
                self.settle(name, self.units[name].early(ready, {}))
            else:
                waiting.append(name)
        for name in reversed(waiting):
            self.settle(name, self.units[name].late({}, self.write_until(name)))
        for s in graph.streams:
            self.measure(s)

    def settle(self, name: str, starts: Times) -> None:
        unit = self.units[name]
        for s in self.graph.into(name):
            self.reads[s] = starts[unit.reads[s.dst_port]]
        for s in self.graph.out_of(name):
            self.writes[s] = starts[unit.writes[s.src_port]] + unit.stages

    def measure(self, stream: Stream) -> None:
        self.depths[stream] = max(LEAST_DEPTH, occupancy(self.writes[stream], self.reads[stream], self.interval))

    def read_from(self, name: str) -> dict[int, Times]:
        return {s.dst_port: self.writes[s] + FIFO_DELAY for s in self.graph.into(name) if s in self.writes}

    def write_until(self, name: str) -> dict[int, Times]:
        return {s.src_port: self.reads[s] - FIFO_DELAY for s in self.graph.out_of(name) if s in self.reads}

    def forward(self) -> None:
        """Every unit as early as the room behind it allows."""
        for name in self.order:
            room = {
                s.src_port: _shifted(self.reads[s], -self.depths[s], self.interval) + 1 for s in self.graph.out_of(name)
            }
            if not self.graph.into(name) and not room:
                continue
            self.settle(name, self.units[name].early(self.read_from(name), room))
            for s in self.graph.into(name):
                self.measure(s)

    def backward(self) -> None:
        """Every unit as late as the room in front of it allows."""
        for name in reversed(self.order):
            room = {
                s.dst_port: _shifted(self.writes[s], self.depths[s], self.interval) - 1 for s in self.graph.into(name)
            }
            self.settle(name, self.units[name].late(room, self.write_until(name)))
            for s in self.graph.out_of(name):
                self.measure(s)


class _Bounds:
    """The earliest and the latest schedule that keep given depths, the leader's times being fixed.

    Both follow as depths shrink. A depth is possible if the latest schedule exists, and that is sure to fail as soon as
    a unit would have to work before its earliest time.
    """

    def __init__(self, line: _Pipeline, leader: str) -> None:
        self.line = line
        self.graph = line.graph
        self.leader = leader
        self.depths = dict(line.depths)
        self.work = 0
        order = [u.name for u in self.graph]
        before, after = nx.ancestors(self.graph.graph, leader), nx.descendants(self.graph.graph, leader)
        self.earliest: dict[str, Times] = {leader: line.units[leader].at}
        for name in [n for n in order if n in after] + [n for n in reversed(order) if n not in after]:
            if name != leader:
                self.earliest[name] = self._early(name)
        self._settle(self.earliest, self._early, order, np.maximum)
        self.latest: dict[str, Times] = {leader: line.units[leader].at}
        for name in [n for n in reversed(order) if n in before] + [n for n in order if n not in before]:
            if name != leader:
                self.latest[name] = self._late(name)
        self._settle(self.latest, self._late, order[::-1], np.minimum)

    def _reads(self, starts: Mapping[str, Times], s: Stream) -> Times:
        return starts[s.dst][self.line.units[s.dst].reads[s.dst_port]]

    def _writes(self, starts: Mapping[str, Times], s: Stream) -> Times:
        unit = self.line.units[s.src]
        return starts[s.src][unit.writes[s.src_port]] + unit.stages

    def _early(self, name: str) -> Times:
        starts, interval = self.earliest, self.line.interval
        data = {s.dst_port: self._writes(starts, s) + FIFO_DELAY for s in self.graph.into(name) if s.src in starts}
        room = {
            s.src_port: _shifted(self._reads(starts, s), -self.depths[s], interval) + 1
            for s in self.graph.out_of(name)
            if s.dst in starts
        }
        return self.line.units[name].early(data, room)

    def _late(self, name: str) -> Times:
        starts, interval = self.latest, self.line.interval
        room = {
            s.dst_port: _shifted(self._writes(starts, s), self.depths[s], interval) - 1
            for s in self.graph.into(name)
            if s.src in starts
        }
        due = {s.src_port: self._reads(starts, s) - FIFO_DELAY for s in self.graph.out_of(name) if s.dst in starts}
        self.work += self.line.units[name].at.size
        return self.line.units[name].late(room, due)

    def _neighbours(self, name: str) -> dict[str, None]:
        return dict.fromkeys([*(s.src for s in self.graph.into(name)), *(s.dst for s in self.graph.out_of(name))])

    def _settle(self, starts: dict[str, Times], bound: Any, names: list[str], pick: Any) -> None:
        queue = dict.fromkeys(names)
        while queue:
            name = next(iter(queue))
            del queue[name]
            if name != self.leader:
                new = pick(bound(name), starts[name])
                if not np.array_equal(new, starts[name]):
                    starts[name] = new
                    queue.update(self._neighbours(name))

    def try_depth(self, stream: Stream, depth: int) -> bool:
        """Sets a stream's depth if the schedule can follow."""
        latest, before = dict(self.latest), self.depths[stream]
        self.depths[stream] = depth
        queue = {stream.dst: None}
        while queue:
            name = next(iter(queue))
            del queue[name]
            bound = self._late(name)
            if (bound < self.earliest[name]).any():
                self.latest, self.depths[stream] = latest, before
                return False
            new = np.minimum(bound, self.latest[name])
            if name != self.leader and not np.array_equal(new, self.latest[name]):
                self.latest[name] = new
                queue.update(self._neighbours(name))
        return True


def periodic_timing(graph: Dataflow, leader: str | None = None, passes: int = 2) -> Timing:
    """A schedule of ``graph`` whose interval is the cycles of its slowest unit.

    Args:
        graph: folded, with width converters.
        leader: the unit that the others follow; the slowest by default.
        passes: pairs of passes that empty FIFOs.
    """
    slowest = max(graph, key=lambda u: u.cycles)
    line = _Pipeline(graph, leader if leader is not None else slowest.name, slowest.cycles)
    for _ in range(passes):
        line.forward()
        line.backward()
    first = min(int(t[0]) for t in line.writes.values())
    latency = max(int(t[-1]) for t in line.reads.values()) - first + 1
    return Timing(slowest.cycles, latency, line.depths, line.writes, line.reads)
