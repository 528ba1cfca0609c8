"""When a unit touches its streams, as its pipelined loop states it.

A unit works frame by frame in one loop of `Schedule.cycles` iterations, at most one iteration per clock cycle. In an
iteration it may take a beat from an input and give a beat to an output; which, is fixed by the loop's counters alone. An
iteration waits until its input beats are there and its output streams have room.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd

import numpy as np

from flowc.units.runs import Integers, Runs

__all__ = ["RING_GAP", "Beats", "Ring", "Schedule", "every", "grid", "proportional"]

Beats = Runs
"""Iteration numbers, strictly ascending."""

RING_GAP = 4
"""Iterations after which a word written to a window's ring may be read, and after which a freed place may be written."""


@dataclass(frozen=True)
class Schedule:
    """One frame of a unit.

    Attributes:
        cycles: iterations of the loop.
        reads: per input port: the iteration that takes beat i.
        writes: per output port: the iteration that gives beat j.
    """

    cycles: int
    reads: tuple[Beats, ...]
    writes: tuple[Beats, ...]


def every(count: int, step: int = 1, start: int = 0) -> Beats:
    """``count`` iterations, ``step`` apart."""
    return Runs.line(count, step, start)


def grid(*axes: tuple[int, int], start: int = 0) -> Beats:
    """Iterations of nested loops: axes (count, stride in iterations), outermost first."""
    loops: list[tuple[int, int]] = []  # outermost last; what goes on in steps of the one within is one loop with it
    for count, stride in reversed(axes):
        if loops and stride == loops[-1][0] * loops[-1][1]:
            loops[-1] = (count * loops[-1][0], loops[-1][1])
        elif count > 1:
            loops.append((count, stride))
    if not loops:
        return Runs.line(1, 1, start)
    length, step = loops[0]
    value = np.array([start], np.int64)
    for count, stride in loops[1:]:
        value = np.add.outer(np.arange(count, dtype=np.int64) * stride, value).reshape(-1)
    first = np.arange(value.size, dtype=np.int64) * length
    return Runs(first, value, np.full_like(first, step), value.size * length)


def proportional(count: int, numerator: int, denominator: int, start: int = 0) -> Beats:
    """Iterations ``(i * numerator + start) // denominator``, i from 0 to ``count`` - 1."""
    shared = gcd(numerator, denominator)
    period = denominator // shared
    whole = np.arange(min(period, count), dtype=np.int64) * numerator + start
    return Runs.of(whole // denominator).repeated(-(-count // whole.size), numerator // shared).part(0, count)


@dataclass(frozen=True)
class Ring:
    """A serial sliding window over a ring of words: every cycle it takes a word if there is room, and gives the next if it is there.

    Attributes:
        height, width: input pixels.
        blocks, block_words: words of a pixel are ``blocks`` times ``block_words``.
        kernel, stride, dilation: (vertical, horizontal).
        spare: rows that the ring holds beyond the window, so that words can come while none can be given.
        slack: words that it holds beyond these, so that one can come while the places of those that were given last are not free yet.
    """

    height: int
    width: int
    blocks: int
    block_words: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    spare: int = 0
    slack: int = 2 * RING_GAP

    @property
    def words(self) -> int:
        """Words per pixel."""
        return self.blocks * self.block_words

    @property
    def out(self) -> tuple[int, int]:
        """Output rows and columns."""
        (kh, kw), (th, tw), (dh, dw) = self.kernel, self.stride, self.dilation
        return (self.height - (kh - 1) * dh - 1) // th + 1, (self.width - (kw - 1) * dw - 1) // tw + 1

    @property
    def span(self) -> int:
        """Words from the first tap's pixel to the last tap's."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return ((kh - 1) * dh * self.width + (kw - 1) * dw) * self.words

    @property
    def last_needed(self) -> int:
        """Words of a frame up to the last one that is given."""
        (out_h, out_w), row = self.out, self.width * self.words
        return (out_h - 1) * self.stride[0] * row + (out_w - 1) * self.stride[1] * self.words + self.span + self.words

    @property
    def reach(self) -> int:
        """Words of a position's window, from the first to the last, and of the spare rows: the ring holds no fewer."""
        return self.span + self.words + self.spare * self.width * self.words

    @property
    def size(self) -> int:
        """Words that the ring holds."""
        return self.reach + self.slack

    def snug(self) -> Ring:
        """The ring with less slack, where that saves memory and costs no time.

        Look-up tables hold 32 or 64 words, block RAMs powers of two; a few words more take twice as many, and a multiplexer behind. A
        ring that is so just too large becomes one that is just full, if it gives every word in the same iteration.
        """
        return _snug(self)

    @property
    def least_cycles(self) -> int:
        """A lower bound of `cycles`: all words are taken; the first word given waits for nothing, the others follow."""
        out_h, out_w = self.out
        given = out_h * out_w * self.kernel[0] * self.kernel[1] * self.words
        return max(self.height * self.width * self.words, given)

    @property
    def cycles(self) -> int:
        """Iterations for one frame."""
        head = _head(self)
        return head.cycles + (self.out[0] - head.rows) * head.period

    def schedule(self) -> Schedule:
        """Iterations in which words are taken and given."""
        head = _head(self)
        reads, writes, later = head.reads, head.writes, self.out[0] - head.rows
        if later:
            row = writes.part(writes.size - writes.size // head.rows, writes.size)
            writes = Runs.joined([writes, (row + head.period).repeated(later, head.period)])
            block = reads.part(head.tail - self.stride[0] * self.width * self.words, head.tail)
            parts = [reads.part(0, head.tail), (block + head.period).repeated(later, head.period)]
            if head.tail < reads.size:
                parts.append(reads.part(head.tail, reads.size) + later * head.period)
            reads = Runs.joined(parts)
        return Schedule(self.cycles, (reads,), (writes,))


@dataclass(frozen=True)
class _Head:
    """The schedule of a window with its first output rows only; from there on it repeats every ``period`` iterations.

    ``tail`` is the number of words taken up to the last one that the last row of these needs.
    """

    rows: int
    period: int
    tail: int
    cycles: int
    reads: Beats
    writes: Beats


@lru_cache(maxsize=1024)
def _head(ring: Ring) -> _Head:
    """Lengthens the window by one row until two rows are alike."""
    out_h, _ = ring.out
    whole = ring.stride[0] * ring.width * ring.words
    for rows in range(3, out_h):
        short = replace(ring, height=ring.height - (out_h - rows) * ring.stride[0])
        reads, writes = _settle(short)
        taken = short.last_needed
        by_row = writes.reshape(rows, -1)
        period = int(by_row[-1, -1] - by_row[-2, -1])
        same_reads = taken >= 2 * whole and bool(
            (reads[taken - whole : taken] - reads[taken - 2 * whole : taken - whole] == period).all()
        )
        if same_reads and bool((by_row[-1] - by_row[-2] == period).all()):
            cycles = int(max(reads[-1], writes[-1])) + 1
            return _Head(rows, period, taken, cycles, Runs.of(reads), Runs.of(writes))
    reads, writes = _settle(ring)
    cycles = int(max(reads[-1], writes[-1])) + 1
    return _Head(out_h, 0, ring.last_needed, cycles, Runs.of(reads), Runs.of(writes))


def _settle(ring: Ring) -> tuple[Integers, Integers]:
    """The schedule as the least solution of what words and free places wait for."""
    (kh, kw), (th, tw), (dh, dw) = ring.kernel, ring.stride, ring.dilation
    out_h, out_w = ring.out
    words, row = ring.words, ring.width * ring.words
    axes = [
        (out_h, th * row), (out_w, tw * words), (ring.blocks, ring.block_words), (kh, dh * row), (kw, dw * words),
        (ring.block_words, 1),
    ]  # fmt: skip
    wanted = grid(*axes).dense()
    freed = np.zeros((out_h, out_w, ring.blocks, kh * kw, ring.block_words), np.int64)
    freed[:, :, :, 0] = 1
    last = freed.reshape(out_h, out_w, -1)[:, :, -1]
    last[:, :-1] = (tw - 1) * words
    last[:, -1] = th * row - (out_w - 1) * tw * words - words
    total = np.cumsum(freed.reshape(-1))
    limited = np.arange(ring.size, ring.last_needed)
    giver = np.searchsorted(total, limited - ring.size, side="right")
    index, order = np.arange(ring.height * row), np.arange(wanted.size)
    ready = np.zeros(index.size, np.int64)
    reads = index
    while True:
        writes = np.maximum.accumulate(reads[wanted] + RING_GAP - order) + order
        ready[limited] = writes[giver] + RING_GAP
        later = np.maximum.accumulate(ready - index) + index
        if np.array_equal(later, reads):
            return reads, writes
        reads = later


@lru_cache(maxsize=1024)
def _snug(ring: Ring) -> Ring:
    step = 32 if ring.size < 64 else 64
    less = replace(ring, slack=ring.size // step * step - ring.reach)
    # A loop goes on with the next frame at once: its first words must not overtake the last reads of this one.
    behind = less.slack + ring.words - ring.block_words + ring.kernel[0] * ring.kernel[1] * ring.block_words
    if less.slack < 0 or behind < RING_GAP or less == ring:
        return ring
    return less if less.cycles == ring.cycles and _give_alike(less, ring) else ring


def _give_alike(one: Ring, other: Ring) -> bool:
    """Whether two rings of one window give every word in the same iteration: rows are alike that follow two which are."""
    rows = min(one.out[0], 1 + max(_head(one).rows, _head(other).rows))
    count = rows * one.out[1] * one.kernel[0] * one.kernel[1] * one.words
    given, due = (ring.schedule().writes[0].part(0, count).dense() for ring in (one, other))
    return np.array_equal(given, due)
