"""Memories on Lattice's iCE40: no look-up table holds a memory, and a block RAM has 4 kbit.

Yosys makes registers of a small memory that is left to it, and block RAM of others (``memory_libmap``: a block costs as much as 64 written
bits in registers, or as 1,024 constant ones in tables). `docs/cost-model.md` has what was measured.
"""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import NamedTuple

__all__ = ["BLOCK_SHAPES", "EBRS_PER_BRAM18", "Cells", "blocks", "constant", "written"]

BLOCK_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))
"""(depth, width) of a block RAM, EBR (FPGA-TN-02002)."""

EBRS_PER_BRAM18 = 6
"""Blocks that count as one of 18 kbit: they hold 512 words of 36 bits, and more."""

_WRITTEN_BITS, _CONSTANT_BITS = 72, 1024
"""Bits at most, per block that they would take, of which yosys makes no block RAM. Written ones have what passes by them in the price."""


class Cells(NamedTuple):
    """What a memory takes: look-up tables with 4 inputs, flip-flops and block RAMs of 4 kbit."""

    lut4: int = 0
    ff: int = 0
    ebr: int = 0


@cache
def blocks(depth: int, width: int) -> int:
    """Block RAMs of 4 kbit of a memory of ``depth`` words of ``width`` bits."""
    return min(ceil(depth / d) * ceil(width / w) for d, w in BLOCK_SHAPES)


@cache
def written(depth: int, width: int) -> Cells:
    """A memory with a write and a read port that is left to yosys, besides registers of addresses and of the word that was read.

    Registers take a multiplexer of as many ways as words, two tables for three ways and bit, and one more; blocks a register and a
    table per bit, for a word that is read as it is written.
    """
    found = blocks(depth, width)
    if depth * width <= _WRITTEN_BITS * found:
        luts = width * (ceil(2 * (depth - 1) / 3) + 1) + depth + 4
        return Cells(luts, depth * width + (depth - 1).bit_length())
    return Cells(width + 2, width + 2, found)


@cache
def constant(depth: int, width: int, lut6: int) -> Cells:
    """A memory of constants that is left to yosys, ``lut6`` tables with 6 inputs elsewhere: tables with 4, 16 words of a bit in each."""
    found = blocks(depth, width)
    if depth * width > _CONSTANT_BITS * found:
        return Cells(ebr=found)
    leaves = ceil(depth / 16)
    return Cells(max(2 * lut6, width * (leaves + ceil(2 * (leaves - 1) / 3))))
