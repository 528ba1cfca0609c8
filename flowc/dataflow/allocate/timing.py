"""Periodic schedules of the whole pipeline, and the FIFO depths that they need.

Every unit repeats its loop once per interval, that of the slowest unit. The slowest unit, the *leader*, runs without a pause (but for its
pipeline's drain between frames); all other times are seen from it.

Depths read off a schedule are safe: the pipeline itself starts every iteration as soon as beats and room are there, and
since more of either never makes anything later, no iteration starts later than in the schedule. So with these depths
the pipeline can't deadlock and keeps the interval. This is so for pipelines that close up while they wait; a rigid one is never later than
one that begins an iteration only when there is room for what it writes, so that is what its schedule does (`Loop.room_at`).

`first_depths` builds a schedule: what feeds the leader works as late as it can, what it feeds as early as it can. Then,
in stream order, every unit works as early as the room behind it allows, which empties the FIFOs in front of it; and in
the opposite order as late as the room in front of it allows, which empties the FIFOs behind it.
`Bounds` holds the earliest and the latest schedule that keep given depths. A smaller depth is possible if a latest
schedule still exists, which is found by moving units earlier until nothing is violated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from flowc.dataflow.allocate.links import Link, due, room
from flowc.dataflow.allocate.loops import DenseLoop, loops_of
from flowc.dataflow.allocate.times import (
    FIFO_DELAY,
    LEAST_DEPTH,
    Times,
    as_values,
    first,
    maximum,
    minimum,
    never_before,
    occupancy,
    same,
    shape,
    shifted,
)
from flowc.units.cost import LUTS_PER_BLOCK, fifo, fifo_memory
from flowc.units.graph import Dataflow, Stream

_CHEAP_DEPTH = 16
"""A shift register costs the same up to this depth."""

_KEPT = 64
"""Moves that stay at hand: a row of units that are alike repeats after a few."""

__all__ = ["Bounds", "Pipeline", "fifo_price", "stream_bits"]


def stream_bits(graph: Dataflow, stream: Stream) -> int:
    """Bits per beat."""
    return graph[stream.src].out_widths[stream.src_port] * graph.frame(stream).dtype.bits


def fifo_price(depth: int, bits: int) -> int:
    """Cost of a FIFO in look-up tables, block RAMs converted."""
    used = fifo(depth, bits, fifo_memory(depth, bits))
    return (used.lut or 0) + LUTS_PER_BLOCK * (used.bram18 or 0)


_Way = Callable[[dict[str, Times], str, dict[Stream, int]], Times]
"""A unit's delays, its neighbours' delays and the depths (infinite where missing) being given."""


@dataclass(frozen=True)
class _Move:
    """What a move found: the unit's delays, seen from where ``base`` then was, their `shape`, and the depths needed, inputs first."""

    delays: Times
    base: int
    shape: bytes
    needed: tuple[int, ...]


class Pipeline:
    """A folded graph's loops, the leader and the interval."""

    def __init__(self, graph: Dataflow) -> None:
        self.graph = graph
        slowest = max(graph, key=lambda u: u.interval)
        self.leader = slowest.name
        self.interval = slowest.interval
        self.loops = loops_of(graph)
        self.order = [u.name for u in graph]
        self.bits = {s: stream_bits(graph, s) for s in graph.streams}
        self.before = graph.ancestors(self.leader)
        self.after = graph.descendants(self.leader)
        self._alike = Counter(self.loops.values())
        self._moves: dict[Hashable, _Move] = {}
        self._shapes: dict[str, tuple[Times, bytes]] = {}

    def neighbours(self, name: str) -> Iterable[str]:
        """Units that share a stream with a unit."""
        return [*(s.src for s in self.graph.into(name)), *(s.dst for s in self.graph.out_of(name))]

    def reads(self, delays: dict[str, Times], stream: Stream) -> Times:
        """When the beats of a stream are read."""
        return self.loops[stream.dst].read_times(delays[stream.dst], stream.dst_port)

    def writes(self, delays: dict[str, Times], stream: Stream) -> Times:
        """When the beats of a stream are written."""
        return self.loops[stream.src].write_times(delays[stream.src], stream.src_port)

    def room(self, delays: dict[str, Times], stream: Stream) -> Times:
        """When there must be room for the beats of a stream."""
        return self.loops[stream.src].room_times(delays[stream.src], stream.src_port)

    def places(self, stream: Stream, depths: dict[Stream, int]) -> int:
        """Beats between a stream's units: in its FIFO, and at the end of the unit in front of it."""
        return depths[stream] + self.loops[stream.src].places

    def early(self, delays: dict[str, Times], name: str, depths: dict[Stream, int]) -> Times:
        """Least delays of a unit, its neighbours being as they are: data in front of it, room (per ``depths``) behind it."""
        data = {s.dst_port: self.writes(delays, s) + FIFO_DELAY for s in self.graph.into(name) if s.src in delays}
        room = {
            s.src_port: shifted(self.reads(delays, s), -self.places(s, depths), self.interval) + FIFO_DELAY
            for s in self.graph.out_of(name)
            if s.dst in delays and s in depths
        }
        return self.loops[name].early(data, room, self.interval)

    def late(self, delays: dict[str, Times], name: str, depths: dict[Stream, int]) -> Times:
        """Greatest delays of a unit, its neighbours being as they are."""
        room = {
            s.dst_port: shifted(self.room(delays, s), self.places(s, depths), self.interval) - FIFO_DELAY
            for s in self.graph.into(name)
            if s.src in delays and s in depths
        }
        due = {s.src_port: self.reads(delays, s) - FIFO_DELAY for s in self.graph.out_of(name) if s.dst in delays}
        return self.loops[name].late(room, due, self.interval)

    def first_depths(self) -> dict[Stream, int]:
        """Safe depths of all streams."""
        delays: dict[str, Times] = {self.leader: self.loops[self.leader].unhindered()}
        for name in reversed(self.order):
            if name in self.before:
                delays[name] = self.late(delays, name, {})
        rest = [n for n in self.order if n not in delays]
        for name in rest:
            if any(s.src in delays for s in self.graph.into(name)):
                delays[name] = self.early(delays, name, {})
        for name in reversed(rest):
            if name not in delays:
                delays[name] = self.late(delays, name, {})
        depths = {s: self._needed(delays, s) for s in self.graph.streams}
        followers = [n for n in self.order if n != self.leader]
        for name in followers:
            self._move(delays, name, depths, self.early, self.graph.out_of(name))
        for name in reversed(followers):
            self._move(delays, name, depths, self.late, self.graph.into(name))
        return depths

    def _move(
        self, delays: dict[str, Times], name: str, depths: dict[Stream, int], way: _Way, room: list[Stream]
    ) -> None:
        """Moves a unit ``way`` as far as the depths of the streams in ``room`` allow, or farther if deeper FIFOs there pay.

        In a row of units that are alike, most move as one before did, but later or earlier: that is looked up.
        """
        streams = [*self.graph.into(name), *self.graph.out_of(name)]
        if self._alike[self.loops[name]] == 1:
            delays[name], needed = self._moved(delays, name, depths, way, room)
            depths |= zip(streams, needed, strict=True)
            return
        ends = [(s.dst if s.src == name else s.src) for s in streams]
        base = first(delays[ends[0]])
        key = (
            self.loops[name], way.__name__, *((s.src_port, s.dst_port, self.bits[s]) for s in streams),
            *(depths[s] for s in room), *((self.loops[n], self._shape(delays, n), first(delays[n]) - base) for n in ends),
        )  # fmt: skip
        move = self._moves.pop(key, None)
        if move is None:
            found, needed = self._moved(delays, name, depths, way, room)
            move = _Move(found, base, shape(found), needed)
        self._moves[key] = move  # the last one looked up stands last
        if len(self._moves) > _KEPT:
            del self._moves[next(iter(self._moves))]
        delays[name] = move.delays + (base - move.base)
        self._shapes[name] = delays[name], move.shape
        depths |= zip(streams, move.needed, strict=True)

    def _shape(self, delays: dict[str, Times], name: str) -> bytes:
        known = self._shapes.get(name)
        if known is None or known[0] is not delays[name]:
            known = self._shapes[name] = delays[name], shape(delays[name])
        return known[1]

    def _moved(
        self, delays: dict[str, Times], name: str, depths: dict[Stream, int], way: _Way, room: list[Stream]
    ) -> tuple[Times, tuple[int, ...]]:
        """A unit's delays after a move, and the depths that its streams then need, inputs first."""
        streams = [*self.graph.into(name), *self.graph.out_of(name)]
        best: tuple[int, Times, dict[Stream, int]] | None = None
        for given in (depths, {}):
            delays[name] = way(delays, name, given)
            needed = {s: self._needed(delays, s) for s in streams}
            price = sum(fifo_price(d, self.bits[s]) for s, d in needed.items())
            if best is None or price < best[0]:
                best = price, delays[name], needed
            if all(needed[s] <= _CHEAP_DEPTH for s in streams if s not in room):
                break
        assert best is not None
        return best[1], tuple(best[2].values())

    def _needed(self, delays: dict[str, Times], stream: Stream) -> int:
        places = occupancy(self.room(delays, stream), self.reads(delays, stream), self.interval)
        return max(LEAST_DEPTH, places - self.loops[stream.src].places)


class Bounds:
    """The earliest and the latest schedule that keep given depths.

    Attributes:
        depths: as they are now.
        work: loop iterations looked at so far: a measure of time spent that does not depend on the machine.
    """

    def __init__(self, line: Pipeline, depths: dict[Stream, int]) -> None:
        self.line = line
        self.depths = dict(depths)
        self.work = 0
        self._links: dict[str, list[tuple[str, Link]] | None] = {}
        order, back = line.order, line.order[::-1]
        first = [n for n in order if n in line.after] + [n for n in back if n not in line.after]
        self._earliest = self._settled(first, line.early, maximum)
        first = [n for n in back if n in line.before] + [n for n in order if n not in line.before]
        self._latest = self._settled(first, line.late, minimum)

    def _settled(
        self,
        names: list[str],
        bound: _Way,
        pick: Callable[[Times, Times], Times],
    ) -> dict[str, Times]:
        line = self.line
        delays = {line.leader: line.loops[line.leader].unhindered()}
        for name in names:
            if name != line.leader:
                delays[name] = bound(delays, name, self.depths)
        queue = dict.fromkeys(n for n in names if n != line.leader)
        while queue:
            name = next(iter(queue))
            del queue[name]
            self.work += line.loops[name].size
            new = pick(bound(delays, name, self.depths), delays[name])
            if not same(new, delays[name]):
                delays[name] = new
                queue.update(dict.fromkeys(n for n in line.neighbours(name) if n != line.leader))
        return delays

    def try_depth(self, stream: Stream, depth: int, patience: int = 16) -> bool:
        """Sets a stream's depth if the schedule can follow.

        After ``patience`` moves per unit of the pipeline the answer is no, though more moves might have led to a schedule.
        """
        line, replaced, before = self.line, dict[str, Times](), self.depths[stream]
        self._set_depth(stream, depth)
        moves = patience * len(line.order)
        queue = {stream.dst: None}
        while queue:
            name = next(iter(queue))
            del queue[name]
            self.work += line.loops[name].size
            bound = self._late(name)
            moves -= 1
            if moves < 0 or not never_before(bound, self._earliest[name]):
                self._latest |= replaced
                self._set_depth(stream, before)
                return False
            now = self._latest[name]
            if name != line.leader and not never_before(bound, now):
                replaced.setdefault(name, now)
                self._latest[name] = minimum(bound, now)
                queue.update(dict.fromkeys(line.neighbours(name)))
        return True

    def _set_depth(self, stream: Stream, depth: int) -> None:
        self.depths[stream] = depth
        self._links.pop(stream.dst, None)

    def _late(self, name: str) -> Times:
        """Greatest delays of a unit in the latest schedule, as `Pipeline.late` finds them."""
        if name not in self._links:
            self._links[name] = self._linked(name)
        links, loop = self._links[name], self.line.loops[name]
        if links is None or not isinstance(loop, DenseLoop):
            return self.line.late(self._latest, name, self.depths)
        return loop.latest([link.limit(as_values(self._latest[n])) for n, link in links], self.line.interval)

    def _linked(self, name: str) -> list[tuple[str, Link]] | None:
        """What bounds a unit: its neighbours, each with a link; None unless all of them are written out."""
        graph, loops, found = self.line.graph, self.line.loops, list[tuple[str, Link]]()
        for s in (*graph.into(name), *graph.out_of(name)):
            writer, reader = loops[s.src], loops[s.dst]
            if not (isinstance(writer, DenseLoop) and isinstance(reader, DenseLoop)):
                return None
            if s.src == name:
                found.append((s.dst, due(s, writer, reader)))
            else:
                places = self.line.places(s, self.depths)
                found.append((s.src, room(s, writer, reader, places, self.line.interval)))
        return found
