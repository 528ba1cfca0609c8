"""A unit's loop under bounds: when its iterations start if beats, or room for beats, come at given times.

Times are clock cycles. All arrays hold the times of the iterations that touch a stream, in order; the others do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flowc.units import Unit

__all__ = ["FIFO_DELAY", "LEAST_DEPTH", "Loop", "Times", "occupancy", "shifted"]

Times = NDArray[np.int64]

FIFO_DELAY = 1
"""Cycles from the writing of a beat to a FIFO to its earliest reading, and from a reading to the reuse of its place."""

LEAST_DEPTH = 2
"""Least depth of a FIFO: with a single place, writing and reading would have to take turns."""

_NEVER = np.int64(1) << 60


class Loop:
    """One unit's iterations of one frame.

    Attributes:
        at: numbers of the iterations that touch a stream.
        reads, writes: per port: index into ``at`` of each beat's iteration (a slice where it is regular).
        stages: cycles from an iteration's start to its writing.
        interval: cycles from frame to frame at best.
    """

    def __init__(self, unit: Unit) -> None:
        schedule = unit.schedule()
        self.name = unit.name
        self.stages = unit.stages
        self.interval = unit.interval
        ports = [*schedule.reads, *schedule.writes]
        touched = np.zeros(schedule.cycles, np.bool_)
        for port in ports:
            touched[port] = True
        at = np.flatnonzero(touched)
        if at.size < schedule.cycles:
            place = np.cumsum(touched) - 1
            ports = [place[port] for port in ports]
        self.at = at
        index = [_as_slice(p) for p in ports]
        self.reads, self.writes = index[: len(schedule.reads)], index[len(schedule.reads) :]

    def early(
        self,
        read_from: Mapping[int, Times],
        write_from: Mapping[int, Times],
        interval: int | None = None,
        *,
        first: int = 0,
    ) -> Times:
        """Earliest starts with none of the beats before the given times (per port; from the beat given on, if fewer are given).

        With ``interval``, the frame before and the frame after do the same, that much earlier and later; else the loop begins at ``first``
        at the earliest.
        """
        ready = np.full(self.at.size, -_NEVER) if interval is not None else self.at + first
        for ports, bounds, delay in ((self.reads, read_from, 0), (self.writes, write_from, self.stages)):
            for port, times in bounds.items():
                index = ports[port]
                held = ready[index]
                last = held[held.size - times.size :]  # a view where the index is a slice
                np.maximum(last, times - delay if delay else times, out=last)
                ready[index] = held
        ready -= self.at
        starts: Times = np.maximum.accumulate(ready)
        if interval is not None:
            np.maximum(starts, starts[-1] - (interval - self.interval), out=starts)
        starts += self.at
        return starts

    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times], interval: int) -> Times:
        """Latest starts of a frame's iterations with none of the beats after the given times (per port)."""
        due = np.full(self.at.size, _NEVER)
        for ports, bounds, delay in ((self.reads, read_until, 0), (self.writes, write_until, self.stages)):
            for port, times in bounds.items():
                due[ports[port]] = np.minimum(due[ports[port]], times - delay if delay else times)
        due -= self.at
        starts: Times = np.minimum.accumulate(due[::-1])[::-1]
        np.minimum(starts, starts[0] + (interval - self.interval), out=starts)
        starts += self.at
        return starts

    def read_times(self, starts: Times, port: int) -> Times:
        """When the beats of an input port are read."""
        return starts[self.reads[port]]

    def write_times(self, starts: Times, port: int) -> Times:
        """When the beats of an output port are written."""
        times: Times = starts[self.writes[port]] + self.stages
        return times


def shifted(times: Times, beats: int, interval: int) -> Times:
    """For each beat of a periodic stream the time of the beat that comes ``beats`` later (earlier if negative)."""
    frames, first = divmod(beats, times.size)
    return np.concatenate([times[first:] + frames * interval, times[:first] + (frames + 1) * interval])


def occupancy(written: Times, read: Times, interval: int) -> int:
    """Places that the FIFO of a periodic stream needs: the least depth at which no beat is written before its place is free."""
    low, high = 0, 1
    while not _free(written, read, interval, high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _free(written, read, interval, middle) else (middle, high)
    return high


def _free(written: Times, read: Times, interval: int, depth: int) -> bool:
    """Whether every beat is written after the reading of the one ``depth`` before."""
    if depth >= written.size:
        return bool((written >= shifted(read, -depth, interval) + FIFO_DELAY).all())
    return bool(
        (written[depth:] >= read[:-depth] + FIFO_DELAY).all()
        and (written[:depth] >= read[-depth:] + (FIFO_DELAY - interval)).all()
    )


def _as_slice(index: Times) -> Times | slice:
    """An ascending index as a slice, where it is regular: far quicker to use."""
    if index.size < 2:
        return index
    step = int(index[1] - index[0])
    if int(index[-1] - index[0]) == step * (index.size - 1) and bool((np.diff(index) == step).all()):
        return slice(int(index[0]), int(index[-1]) + 1, step)
    return index
