"""Which of a loop's iterations touch a stream, and which of these each beat is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowc.dataflow.allocate.piecewise import merged
from flowc.units.runs import Integers, Runs

__all__ = ["as_index", "marked", "touched"]


def marked(ports: Sequence[Runs], cycles: int) -> tuple[Integers, list[Integers | slice]]:
    """As `touched`, written out: indices as slices where they are regular, which are far quicker to use. For loops of few cycles."""
    marks = np.zeros(cycles, np.bool_)
    regular = [as_index(p) for p in ports]
    for port in regular:
        marks[port] = True
    at = np.flatnonzero(marks)
    if at.size < cycles:
        place = np.cumsum(marks) - 1
        regular = [_sliced(place[port]) for port in regular]
    return at, regular


def touched(ports: Sequence[Runs], cycles: int) -> tuple[Runs, list[Runs]]:
    """The iterations that touch a stream, ascending, and per port the index into them of each beat's iteration.

    Args:
        ports: per port the iteration of each beat, strictly ascending.
        cycles: iterations of the loop.
    """
    if any(p.size == cycles for p in ports):
        return Runs.line(cycles), list(ports)
    at = _union(ports)
    return at, [_ranks(at, p) for p in ports]


def _union(ports: Sequence[Runs]) -> Runs:
    """Between the beginnings and ends of all runs, every port touches in regular steps, or not at all."""
    cuts = _ascending([x for p in ports for x in (p.value, p.ends + 1)])
    first, step, count = (np.stack(x) for x in zip(*(_between(p, cuts) for p in ports), strict=True))
    finest = np.argmin(
        np.where(count > 0, np.where(count > 1, step, cuts[-1]), cuts[-1] + 1), axis=0
    )  # a single one has no step
    column = np.arange(cuts.size)
    begin, pace, most = first[finest, column], step[finest, column], count[finest, column]
    end = first + step * (count - 1)
    inside = (first >= begin) & (end <= begin + pace * (most - 1)) & ((first - begin) % pace == 0)
    regular = ((inside & ((step % pace == 0) | (count == 1))) | (count == 0)).all(axis=0)
    kept = regular & (most > 0)
    parts = [(begin[kept], pace[kept], most[kept])]
    if not regular.all():
        values = _ascending([_written(first[p], step[p], np.where(regular, 0, count[p])) for p in range(len(ports))])
        parts.append((values, np.ones_like(values), np.ones_like(values)))
    value, paces, length = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.argsort(value, kind="stable")
    ends = np.cumsum(length[order])
    return Runs(ends - length[order], value[order], paces[order], int(ends[-1])).tidied()


def _ascending(parts: Sequence[Integers]) -> Integers:
    """All values, each once."""
    values = np.concatenate(parts)
    values.sort(kind="stable")  # quick, as each part is ascending
    return values[np.append(True, values[1:] != values[:-1])]


def _between(port: Runs, cuts: Integers) -> tuple[Integers, Integers, Integers]:
    """From each cut to the next: the first iteration, the step and the number of those that touch a port."""
    run = np.maximum(np.searchsorted(port.value, cuts, side="right") - 1, 0)
    step = np.where(port.lengths > 1, port.step, 1)[run]
    before = np.clip(-((port.value[run] - cuts) // step), 0, port.lengths[run])
    after = np.clip(-((port.value[run] - np.append(cuts[1:], cuts[-1])) // step), 0, port.lengths[run])
    count = after - before
    return port.value[run] + before * step, step, count


def _ranks(at: Runs, port: Runs) -> Runs:
    """For each beat of a port the number of touched iterations before its own."""
    begun = port.below(at.value[1:])
    first, own, run = merged(port.first, begun[: np.searchsorted(begun, port.size)])
    value, step = port.on(own, first)
    pace = np.where(at.lengths > 1, at.step, 1)[run]
    return Runs(first, at.first[run] + (value - at.value[run]) // pace, step // pace, port.size).tidied()


def _written(first: Integers, step: Integers, count: Integers) -> Integers:
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + np.repeat(step, count) * within


def as_index(index: Runs) -> Integers | slice:
    """An ascending index, a slice where it is regular."""
    if index.first.size > 1:
        return index.dense()
    return slice(int(index.value[0]), index.last + 1, max(1, int(index.step[0])))


def _sliced(index: Integers) -> Integers | slice:
    """An ascending index as a slice, where it is regular."""
    step = int(index[1] - index[0]) if index.size > 1 else 1
    if int(index[-1] - index[0]) == step * (index.size - 1) and bool((np.diff(index) == step).all()):
        return slice(int(index[0]), int(index[-1]) + 1, step)
    return index
