"""A unit's loop under bounds: when its iterations start if beats, or room for beats, come at given times.

Times are clock cycles, and delays what passes between a time and the one at which a loop would be that never waits. Both are kept for the
iterations that touch a stream, in order; the others do not matter. There are two kinds of loops. `DenseLoop` writes
every value out, which is quick where there are few; `RunLoop` keeps runs, of which a frame with millions of
iterations has few as a rule. They give the same times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import numpy as np

from flowc.dataflow.allocate import piecewise
from flowc.dataflow.allocate.piecewise import FOREVER
from flowc.dataflow.allocate.times import Times, as_runs, as_values, count_runs, end_places, few
from flowc.dataflow.allocate.touched import as_index, marked, touched
from flowc.units import Unit
from flowc.units.graph import Dataflow
from flowc.units.likeness import of_each_kind
from flowc.units.runs import Integers, Runs
from flowc.units.schedule import Schedule

__all__ = ["DenseLoop", "Loop", "RunLoop", "loop_of", "loops_of"]

_MARKED = 100_000
"""Cycles up to which iterations are found quickest by marking them."""

_KEPT = 2
"""Times of beats that stay at hand, per loop: the neighbours of a unit ask for the same ones in turn. Of large images they are large."""


class Loop(ABC):
    """One unit's iterations of one frame. It serves all units that are alike.

    Attributes:
        size: iterations that touch a stream.
        last_at: number of the last of them.
        stages: cycles from an iteration's start to its writing.
        interval: cycles from frame to frame at best.
        places: beats that the unit's end holds beside those in the FIFO behind it.
        room_at: cycles from an iteration's start to when there must be room for what it writes: `stages` where the pipeline closes up while
            it waits. One that stands still as a whole, as those of SystemVerilog do, never has to if there is room as an iteration starts.
    """

    def __init__(self, unit: Unit, schedule: Schedule, size: int) -> None:
        self.size = size
        self.stages = unit.stages
        self.interval = unit.interval
        self.places = end_places(unit)
        self.room_at = 0 if unit.structure == "pipeline" else unit.stages
        self.last_at = max(beats.last for beats in (*schedule.reads, *schedule.writes))

    @abstractmethod
    def unhindered(self, delay: int = 0) -> Times:
        """Delays of a loop that never waits and begins so late."""

    @abstractmethod
    def early(
        self,
        read_from: Mapping[int, Times],
        room_from: Mapping[int, Times],
        interval: int | None = None,
        *,
        first: int = 0,
    ) -> Times:
        """Least delays with no beat before the given times: of its reading, of the room for it (per port; of the last, if fewer are given).

        With ``interval``, the frame before and the frame after do the same, that much earlier and later; else the loop begins at ``first``
        at the earliest.
        """

    @abstractmethod
    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times], interval: int) -> Times:
        """Greatest delays of a frame's iterations with none of the beats after the given times (per port)."""

    @abstractmethod
    def read_times(self, delays: Times, port: int) -> Times:
        """When the beats of an input port are read."""

    @abstractmethod
    def write_times(self, delays: Times, port: int) -> Times:
        """When the beats of an output port are written."""

    def room_times(self, delays: Times, port: int) -> Times:
        """When there must be room for the beats of an output port."""
        times = self.write_times(delays, port)
        return times if self.room_at == self.stages else times + (self.room_at - self.stages)


class DenseLoop(Loop):
    """With every value written out.

    Attributes:
        reads, writes: per port: index of each beat's iteration (a slice where it is regular), and the iteration's number.
    """

    def __init__(self, unit: Unit, schedule: Schedule) -> None:
        ports = [*schedule.reads, *schedule.writes]
        if schedule.cycles <= _MARKED:
            at, index = marked(ports, schedule.cycles)
        else:
            runs, indices = touched(ports, schedule.cycles)
            at, index = runs.dense(), [as_index(i) for i in indices]
        super().__init__(unit, schedule, at.size)
        found = [(i, at[i]) for i in index]
        self.reads, self.writes = found[: len(schedule.reads)], found[len(schedule.reads) :]

    def unhindered(self, delay: int = 0) -> Integers:
        return np.full(self.size, delay, np.int64)

    def early(
        self,
        read_from: Mapping[int, Times],
        room_from: Mapping[int, Times],
        interval: int | None = None,
        *,
        first: int = 0,
    ) -> Integers:
        delays = self.unhindered(first if interval is None else -FOREVER)
        for ports, bounds, stages in ((self.reads, read_from, 0), (self.writes, room_from, self.room_at)):
            for port, times in bounds.items():
                index, numbers = ports[port]
                held = delays[index]
                bound = held[held.size - times.size :]  # a view where the index is a slice
                needed = as_values(times) - numbers[held.size - times.size :]
                if stages:
                    needed -= stages
                np.maximum(bound, needed, out=bound)
                delays[index] = held
        np.maximum.accumulate(delays, out=delays)
        if interval is not None:
            np.maximum(delays, delays[-1] - (interval - self.interval), out=delays)
        return delays

    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times], interval: int) -> Integers:
        limits = []
        for ports, bounds, stages in ((self.reads, read_until, 0), (self.writes, write_until, self.stages)):
            for port, times in bounds.items():
                index, numbers = ports[port]
                allowed = as_values(times) - numbers
                if stages:
                    allowed -= stages
                limits.append((index, allowed))
        return self.latest(limits, interval)

    def latest(self, limits: Iterable[tuple[Integers | slice, Integers]], interval: int) -> Integers:
        """As `late`, the greatest delays of the iterations at some indices being given."""
        due = self.unhindered(FOREVER)
        for index, allowed in limits:
            due[index] = np.minimum(due[index], allowed)
        delays: Integers = np.minimum.accumulate(due[::-1])[::-1]
        np.minimum(delays, delays[0] + (interval - self.interval), out=delays)
        return delays

    def read_times(self, delays: Times, port: int) -> Integers:
        index, numbers = self.reads[port]
        times: Integers = as_values(delays)[index] + numbers
        return times

    def write_times(self, delays: Times, port: int) -> Integers:
        index, numbers = self.writes[port]
        times: Integers = as_values(delays)[index] + numbers
        times += self.stages
        return times


class RunLoop(Loop):
    """With runs for values, unless those of its neighbours are too many: it is then a `DenseLoop`.

    Attributes:
        reads, writes: per port: index of each beat's iteration, and the iteration's number.
    """

    def __init__(self, unit: Unit, schedule: Schedule) -> None:
        numbers = [*schedule.reads, *schedule.writes]
        at, index = touched(numbers, schedule.cycles)
        super().__init__(unit, schedule, at.size)
        ports = [*zip(index, numbers, strict=True)]
        self.reads, self.writes = ports[: len(schedule.reads)], ports[len(schedule.reads) :]
        self._written_out: Callable[[], DenseLoop] = cache(lambda: DenseLoop(unit, schedule))
        self._told: dict[tuple[int, int], tuple[Times, Times]] = {}

    def _dense(self, bounds: Iterable[Times]) -> DenseLoop | None:
        """The loop as a dense one, if that is quicker under these bounds."""
        runs = sum(count_runs(times) for times in bounds) + sum(i.first.size for i, _ in (*self.reads, *self.writes))
        return None if few(runs, self.size) else self._written_out()

    def unhindered(self, delay: int = 0) -> Runs:
        return Runs.line(self.size, 0, delay)

    def early(
        self,
        read_from: Mapping[int, Times],
        room_from: Mapping[int, Times],
        interval: int | None = None,
        *,
        first: int = 0,
    ) -> Times:
        dense = self._dense([*read_from.values(), *room_from.values()])
        if dense is not None:
            return dense.early(read_from, room_from, interval, first=first)
        delays = self.unhindered(first if interval is None else -FOREVER)
        for ports, bounds, stages in ((self.reads, read_from, 0), (self.writes, room_from, self.room_at)):
            for port, times in bounds.items():
                index, numbers = (runs.part(runs.size - times.size, runs.size) for runs in ports[port])
                needed = piecewise.rising(piecewise.minus(as_runs(times), numbers) - stages)
                delays = piecewise.maximum(delays, piecewise.held_after(needed, index, self.size))
        if interval is not None:
            delays = piecewise.maximum(delays, self.unhindered(delays.last - (interval - self.interval)))
        return delays

    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times], interval: int) -> Times:
        dense = self._dense([*read_until.values(), *write_until.values()])
        if dense is not None:
            return dense.late(read_until, write_until, interval)
        delays = self.unhindered(FOREVER)
        for ports, bounds, stages in ((self.reads, read_until, 0), (self.writes, write_until, self.stages)):
            for port, times in bounds.items():
                index, numbers = ports[port]
                allowed = piecewise.until(piecewise.minus(as_runs(times), numbers) - stages)
                delays = piecewise.minimum(delays, piecewise.held_before(allowed, index, self.size))
        return piecewise.minimum(delays, self.unhindered(int(delays.value[0]) + interval - self.interval))

    def read_times(self, delays: Times, port: int) -> Times:
        return self._times(delays, self.reads[port], lambda dense: dense.read_times(delays, port), 0)

    def write_times(self, delays: Times, port: int) -> Times:
        return self._times(delays, self.writes[port], lambda dense: dense.write_times(delays, port), self.stages)

    def _times(
        self, delays: Times, port: tuple[Runs, Runs], written_out: Callable[[DenseLoop], Times], stages: int
    ) -> Times:
        """Numbers and delays of a port's beats. The last ones stay at hand, as all neighbours ask for them."""
        key = id(delays), id(port)
        if key in self._told:
            times = self._told.pop(key)[1]
        else:
            index, numbers = port
            if few(count_runs(delays) + index.first.size, index.size):
                times = piecewise.plus(piecewise.composed(as_runs(delays), index), numbers) + stages
            else:
                times = written_out(self._written_out())
        self._told[key] = delays, times  # the last one asked for stands last
        if len(self._told) > _KEPT:
            del self._told[next(iter(self._told))]
        return times


def loop_of(unit: Unit) -> Loop:
    """The loop of a unit, of the quicker kind."""
    schedule = unit.schedule()
    ports = (*schedule.reads, *schedule.writes)
    kind = RunLoop if few(sum(p.first.size for p in ports), sum(p.size for p in ports)) else DenseLoop
    return kind(unit, schedule)


def loops_of(graph: Dataflow) -> dict[str, Loop]:
    """The loops of all units by name; units that are alike share one."""
    return of_each_kind(graph, loop_of)
