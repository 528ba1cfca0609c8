"""Clock cycles of a stream's beats or a loop's iterations, in order: written out, or as runs where these are far fewer.

What is made of two such sequences is made of runs if both are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowc.dataflow.allocate import piecewise
from flowc.units.runs import Integers, Runs

__all__ = [
    "FIFO_DELAY", "LEAST_DEPTH", "Times", "as_runs", "as_values", "count_runs", "few", "last", "maximum", "minimum", "most_held",
    "occupancy", "part", "same", "shifted", "together",
]  # fmt: skip

Times = Integers | Runs

FIFO_DELAY = 1
"""Cycles from the writing of a beat to a FIFO to its earliest reading, and from a reading to the reuse of its place."""

_PER_RUN = 2
"""Values that are handled in the time of a run."""

_OVERHEAD = 16000
"""Runs that are handled in the time that a few take."""

LEAST_DEPTH = 2
"""Least depth of a FIFO: with a single place, writing and reading would have to take turns."""


def as_values(times: Times) -> Integers:
    """Written out."""
    return times.dense() if isinstance(times, Runs) else times


def as_runs(times: Times) -> Runs:
    """As runs."""
    return times if isinstance(times, Runs) else Runs.of(times)


def count_runs(times: Times) -> int:
    """Of how many runs it is made; written out, of as many as there are values."""
    return times.first.size if isinstance(times, Runs) else times.size


def few(runs: int, values: int) -> bool:
    """Whether so many values are handled more quickly as runs."""
    return (runs + _OVERHEAD) * _PER_RUN <= values


def last(times: Times) -> int:
    """The last of them."""
    return times.last if isinstance(times, Runs) else int(times[-1])


def part(times: Times, start: int, stop: int) -> Times:
    """Those from ``start`` to ``stop`` - 1; at least one."""
    return times.part(start, stop) if isinstance(times, Runs) else times[start:stop]


def together(parts: Sequence[Times]) -> Times:
    """One sequence after the other."""
    runs = [p for p in parts if isinstance(p, Runs)]
    return Runs.joined(runs) if len(runs) == len(parts) else np.concatenate([as_values(p) for p in parts])


def same(a: Times, b: Times) -> bool:
    """Whether two sequences are equal."""
    if isinstance(a, Runs) and isinstance(b, Runs):
        return piecewise.same(a, b)
    return np.array_equal(as_values(a), as_values(b))


def maximum(a: Times, b: Times) -> Times:
    """The later of each two."""
    if isinstance(a, Runs) and isinstance(b, Runs):
        return piecewise.maximum(a, b)
    later: Integers = np.maximum(as_values(a), as_values(b))
    return later


def minimum(a: Times, b: Times) -> Times:
    """The earlier of each two."""
    if isinstance(a, Runs) and isinstance(b, Runs):
        return piecewise.minimum(a, b)
    earlier: Integers = np.minimum(as_values(a), as_values(b))
    return earlier


def shifted(times: Times, beats: int, interval: int) -> Times:
    """For each beat of a periodic stream the time of the beat that comes ``beats`` later (earlier if negative)."""
    frames, first = divmod(beats, times.size)
    if not first:
        return times + frames * interval
    rest, start = part(times, first, times.size), part(times, 0, first)
    return together([rest + frames * interval, start + (frames + 1) * interval])


def most_held(written: Times, read: Times) -> int:
    """Most beats that are in a FIFO at once; a place is free the cycle after its reading. ``read`` may go on beyond ``written``."""
    if isinstance(written, Runs) and isinstance(read, Runs):
        return piecewise.most_ahead(written, read)
    written, read = as_values(written), as_values(read)
    held = np.arange(1, written.size + 1) - np.searchsorted(read, written, side="left")
    return int(held.max())


def occupancy(written: Times, read: Times, interval: int) -> int:
    """Places that the FIFO of a periodic stream needs: the least depth at which no beat is written before its place is free.

    A frame's first beat is written, or read, less than ``interval`` cycles before its last one.
    """
    if isinstance(written, Runs) and isinstance(read, Runs):
        frames = int(written.value[0] - read.value[0]) // interval  # that were read before
        periods = Runs.joined([read + frames * interval, read + (frames + 1) * interval])
        return max(1, piecewise.most_ahead(written, periods) - frames * read.size)
    written, read = as_values(written), as_values(read)
    low, high = 0, 1
    while not _free(written, read, interval, high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _free(written, read, interval, middle) else (middle, high)
    return high


def _free(written: Integers, read: Integers, interval: int, depth: int) -> bool:
    """Whether every beat is written after the reading of the one ``depth`` before."""
    if depth >= written.size:
        return bool((written >= as_values(shifted(read, -depth, interval)) + FIFO_DELAY).all())
    return bool(
        (written[depth:] >= read[:-depth] + FIFO_DELAY).all()
        and (written[:depth] >= read[-depth:] + (FIFO_DELAY - interval)).all()
    )
