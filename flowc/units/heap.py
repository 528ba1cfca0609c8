"""Look-up tables of a dot product as SystemVerilog makes it: a heap of bits, counted (``flowc_heap``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from flowc.model.dtypes import IntType

__all__ = ["heap_depth", "heap_excess", "heap_ffs", "heap_luts"]


@lru_cache(maxsize=4096)
def heap_luts(terms: int, w: IntType, a: IntType, width: int) -> int:
    """``terms`` products of types ``w`` and ``a`` and their sum of ``width`` bits: exact, as far as no tool merges tables."""
    levels = _levels(terms, w, a, width)
    total = 0
    for number, level in enumerate(levels[:-1]):
        sixes, threes = _groups(number, level)
        # Products: three take two tables, one that is left takes its own. Bits: six take three tables, three take one.
        total += 3 * sum(sixes) + (sum(threes) if number else 2 * sum(threes) + sum(count % 3 for count in level))
    # The carry chain adds where there are two bits; of a heap that is no higher, both are products.
    return total + (sum(levels[0]) if len(levels) == 1 else sum(count > 1 for count in levels[-1]))


@lru_cache(maxsize=4096)
def heap_depth(terms: int, w: IntType, a: IntType, width: int) -> int:
    """Levels between the products and the carry chain."""
    return len(_levels(terms, w, a, width)) - 1


@lru_cache(maxsize=4096)
def heap_ffs(terms: int, w: IntType, a: IntType, width: int, stages: int) -> int:
    """Registers of the same with ``stages`` cycles between the levels, and one behind the sum, which has no bits beyond what it reaches."""
    levels = _levels(terms, w, a, width)
    total = len(levels) - 1

    def place(level: int) -> int:
        return level * (stages + 1) // (total + 2)

    inner = sum(sum(levels[level]) for level in range(1, total + 1) if place(level) > place(level - 1))
    heap = levels[0]
    reach = sum(count << column for column, count in enumerate(heap)).bit_length()
    empty = next((column for column, count in enumerate(heap) if count), 0)
    return inner + (min(width, reach) - empty) * (stages + 1 - place(total))


def heap_excess(terms: int, w: IntType, a: IntType) -> int:
    """What a heap of ``terms`` products is too large by, as some of them are complemented: ``-b = ~b - 1`` (``flowc_accumulate``)."""
    if w.bipolar and a.bipolar:
        return terms
    if w.bipolar or a.bipolar:
        other = a if w.bipolar else w
        return terms << (other.bits - other.signed)
    negative = ((i, j) for i in range(w.bits) for j in range(a.bits))
    return sum(
        terms << (i + j) for i, j in negative if (w.signed and i == w.bits - 1) != (a.signed and j == a.bits - 1)
    )


def _heights(terms: int, w: IntType, a: IntType) -> list[int]:
    """Products of two bits per column of the heap; of signs as in ``flowc_dot_bipolar``."""
    if w.bipolar and a.bipolar:
        return [0, terms]
    if w.bipolar or a.bipolar:
        other = a if w.bipolar else w
        heights = [terms] * other.bits + ([] if other.signed else [terms])  # each bit or its complement; the sign
        heights[0] += terms  # the one that makes a complement a negative
        return heights
    heights = [0] * (w.bits + a.bits - 1)
    for i in range(w.bits):
        for j in range(a.bits):
            heights[i + j] += terms
    return heights


def _groups(number: int, level: Sequence[int]) -> tuple[list[int], list[int]]:
    """Groups of six and of three bits per column that a level counts; the first one, of products, counts threes only."""
    sixes = [0 if number == 0 else count // 6 for count in level]
    return sixes, [(count - 6 * six) // 3 for count, six in zip(level, sixes, strict=True)]


def _levels(terms: int, w: IntType, a: IntType, width: int) -> list[list[int]]:
    """Bits per column in front of each level, until there are at most two; carries beyond ``width`` columns are dropped."""
    heights = _heights(terms, w, a)[:width]
    levels = [[*heights, *[0] * (width - len(heights))]]
    while max(levels[-1], default=0) > 2:
        sixes, threes = _groups(len(levels) - 1, levels[-1])
        after = [0] * (width + 2)
        for column, (six, three, count) in enumerate(zip(sixes, threes, levels[-1], strict=True)):
            after[column] += six + three + count % 3
            after[column + 1] += six + three
            after[column + 2] += six
        levels.append(after[:width])
    return levels
