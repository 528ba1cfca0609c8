"""Clock cycles of a stream's beats or a loop's iterations, in order: written out, or as runs where these are far fewer.

What is made of two such sequences is made of runs if both are.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from flowc.dataflow.allocate import piecewise
from flowc.units import Unit
from flowc.units.runs import Integers, Runs

__all__ = [
    "FIFO_DELAY", "LEAST_DEPTH", "Times", "as_runs", "as_values", "count_runs", "end_places", "few", "first", "last", "maximum", "minimum",
    "most_held", "never_before", "occupancy", "part", "same", "shape", "shifted", "together",
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


def end_places(unit: Unit) -> int:
    """Beats that a unit's end holds while the FIFO behind it is full (in SystemVerilog ``flowc_emit``)."""
    return 2 if unit.structure == "pipeline" else 0


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


def first(times: Times) -> int:
    """The first of them."""
    return int(times.value[0] if isinstance(times, Runs) else times[0])


def last(times: Times) -> int:
    """The last of them."""
    return times.last if isinstance(times, Runs) else int(times[-1])


def shape(times: Times) -> bytes:
    """Equal for two sequences, both written out or both runs, that are the same but for a constant."""
    start = first(times)
    parts = (times.first, times.value - start, times.step) if isinstance(times, Runs) else (times - start,)
    return blake2b(b"".join(part.tobytes() for part in parts), digest_size=16).digest()


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


def never_before(a: Times, b: Times) -> bool:
    """Whether none of ``a`` is earlier than that of ``b``."""
    if isinstance(a, Runs) and isinstance(b, Runs):
        return piecewise.same(piecewise.maximum(a, b), a)
    return bool((as_values(a) >= as_values(b)).all())


def shifted(times: Times, beats: int, interval: int) -> Times:
    """For each beat of a periodic stream the time of the beat that comes ``beats`` later (earlier if negative)."""
    frames, start = divmod(beats, times.size)
    if not start:
        return times + frames * interval
    parts = part(times, start, times.size) + frames * interval, part(times, 0, start) + (frames + 1) * interval
    return together(parts)


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
    frames = (first(written) - first(read)) // interval  # that were read before
    if isinstance(written, Runs) and isinstance(read, Runs):
        periods = Runs.joined([read + frames * interval, read + (frames + 1) * interval])
        return max(1, piecewise.most_ahead(written, periods) - frames * read.size)
    written, read = as_values(written), as_values(read)
    again = np.concatenate([read + frames * interval, read + (frames + 1) * interval])
    ahead = np.arange(1, written.size + 1) - again.searchsorted(written)
    return max(1, int(ahead.max()) - frames * read.size)
