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
    """One unit's iterations, of one frame in a periodic pipeline, or of several frames in a row.

    Attributes:
        at: numbers of the iterations that touch a stream.
        reads, writes: per port: index into ``at`` of each beat's iteration.
        stages: cycles from an iteration's start to its writing.
    """

    def __init__(self, unit: Unit, frames: int = 1) -> None:
        schedule = unit.schedule()
        self.name = unit.name
        self.stages = unit.stages
        self.cycles = schedule.cycles
        ports = [*schedule.reads, *schedule.writes]
        if sum(p.size for p in ports) * 2 > schedule.cycles:
            at = np.arange(schedule.cycles)
        else:
            at = np.unique(np.concatenate(ports))
            ports = [np.searchsorted(at, p) for p in ports]
        if frames > 1:
            frame = np.arange(frames)[:, None]
            ports = [(p + frame * at.size).reshape(-1) for p in ports]
            at = (at + frame * schedule.cycles).reshape(-1)
        self.at = at
        self.reads, self.writes = ports[: len(schedule.reads)], ports[len(schedule.reads) :]

    def early(self, read_from: Mapping[int, Times], write_from: Mapping[int, Times], interval: int | None = None) -> Times:
        """Earliest starts with none of the beats before the given times (per port; from the beat given on, if fewer are given).

        With ``interval``, the frame before and the frame after do the same, that much earlier and later.
        """
        ready = np.full(self.at.size, -_NEVER if interval is not None else 0)
        for ports, bounds, delay in ((self.reads, read_from, 0), (self.writes, write_from, self.stages)):
            for port, times in bounds.items():
                index = ports[port][ports[port].size - times.size :]
                ready[index] = np.maximum(ready[index], times - delay)
        ready -= self.at
        starts = np.maximum.accumulate(ready)
        if interval is not None:
            starts = np.maximum(starts, ready.max() - (interval - self.cycles))
        starts += self.at
        return starts

    def late(self, read_until: Mapping[int, Times], write_until: Mapping[int, Times], interval: int) -> Times:
        """Latest starts of a frame's iterations with none of the beats after the given times (per port)."""
        due = np.full(self.at.size, _NEVER)
        for ports, bounds, delay in ((self.reads, read_until, 0), (self.writes, write_until, self.stages)):
            for port, times in bounds.items():
                due[ports[port]] = np.minimum(due[ports[port]], times - delay)
        due -= self.at
        starts = np.minimum(np.minimum.accumulate(due[::-1])[::-1], due.min() + (interval - self.cycles))
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
    frames, at = np.divmod(np.arange(times.size) + beats, times.size)
    result: Times = times[at] + frames * interval
    return result


def occupancy(written: Times, read: Times, interval: int) -> int:
    """Places that the FIFO of a periodic stream needs."""
    frames, within = np.divmod(written - read[0], interval)
    gone = frames * read.size + np.searchsorted(read - read[0], within, side="left")
    return int((np.arange(1, written.size + 1) - gone).max())
