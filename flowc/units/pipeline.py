"""What hardware costs as SystemVerilog makes it (`flowc.units.base.Unit.structure` pipeline): the parts that HLS makes otherwise.

The figures were fitted to netlists of yosys; docs/cost-model.md derives them and shows how far they are off.
"""

from __future__ import annotations

from functools import cache
from math import ceil, gcd

from flowc.units import cost
from flowc.units.cost import Resources, adder_tree_luts, memory, memory_style, multiplier_dsps, mux_luts
from flowc.units.heap import heap_excess, heap_ffs, heap_luts
from flowc.units.packing import Packing
from flowc.units.weighted import Weighted

__all__ = [
    "CONTROL",
    "PADDING",
    "PASSING",
    "banks",
    "converter",
    "counters",
    "deep_rom",
    "delay",
    "dot_products",
    "end",
    "fifo",
    "held",
    "moves",
    "multiplied",
    "packed_products",
    "ram_luts",
    "ring_memory",
    "weight_rom",
]

CONTROL = 12
"""Look-up tables that decide when a unit takes and gives, besides its counters."""

PASSING = 4
"""The same of a unit that gives a beat for each that it takes, and has no counter of its own."""

PADDING = 6
"""The same of a padding: where in rows and columns the frame lies."""


def weight_rom(depth: int, width: int, style: str, *, apart: bool = False) -> Resources:
    """A memory of weights (``flowc_weights``), and the register behind it; a single word is wired in.

    Words from block RAMs are chosen among as yosys lays them (`banks`), where the vendor's tools may find a way with fewer.

    Args:
        depth, width, style: as of `cost.weight_rom`.
        apart: whether a memory in look-up tables is mapped by itself, as `flowc synth` does for AMD's parts. Where it is not, or nothing is
            known of the part, one of more than 32 words takes 4.6 tables per bit and 64 words.
    """
    if style in cost.ARRIVING:
        return cost.weight_rom(depth, width, style) + Resources(ff=2 * width)
    if depth == 1:
        return Resources()
    kept = memory_style(depth, width, constant=True) if style == "auto" else style
    if kept != "bram":
        if apart or depth <= 32:
            return deep_rom(depth, width, kept) + Resources(ff=width)
        return cost.in_tables(depth, width, ceil(4.6 * width * depth / 64), constant=True) + Resources(ff=2 * width)
    ways = banks(depth, width)
    return cost.on_ice40(depth, width) + Resources(
        lut=width * mux_luts(ways), ff=width + (ways - 1).bit_length(), bram18=cost.block_rams(depth, width)
    )


_BLOCKS = tuple((129, 14 - k, w) for k, w in enumerate((1, 2, 4, 9, 18, 36))) + tuple(
    (257, 15 - k, w) for k, w in enumerate((1, 2, 4, 9, 18, 36, 72))
)
"""Price, address bits and width of the shapes of an 18 and a 36 kbit block, as yosys weighs them (``memory_libmap``)."""


@cache
def banks(depth: int, width: int) -> int:
    """Words of a constant memory in block RAM that are read at once, for a multiplexer to choose one.

    Yosys puts them side by side, so that they share blocks, and takes the shape that is cheapest together with its multiplexer, half a
    point for each way but one and bit: 32,768 words of 8 bits are 2,048 of 128 bits in 15 blocks, and a multiplexer of 16 ways.
    """

    def price(shape: tuple[int, int, int]) -> float:
        cost_of_one, address, wide = shape
        ways = ceil(depth / (1 << address))
        return cost_of_one * ceil(ways * width / wide) + width * (ways - 1) / 2

    return ceil(depth / (1 << min(_BLOCKS, key=price)[1]))


def deep_rom(depth: int, width: int, style: str) -> Resources:
    """A constant memory, ``style`` lutram or bram, read at an address in registers.

    In look-up tables yosys makes the model's figure of up to 128 words, and four thirds of it beyond: a bit is no longer two tables and the
    multiplexer F7.
    """
    found = memory(depth, width, style, constant=True)
    if style != "lutram" or depth <= 128:
        return found
    return cost.in_tables(depth, width, ceil((found.lut or 0) * 4 / 3), constant=True) + Resources(ff=width)


def counters(*counts: int) -> Resources:
    """Counters of so many places each: a bit takes one and a half tables with its carry, and the last place is marked in a register."""
    bits = [(count - 1).bit_length() for count in counts if count > 1]
    return Resources(lut=ceil(sum(1.5 * b for b in bits)), ff=sum(bits) + sum(count > 2 for count in counts))


def end(bits: int, delay: int = 0) -> Resources:
    """The two places of a unit's end (``flowc_emit``), and ``delay`` registers in front of them."""
    return Resources(lut=bits + 5, ff=(2 + delay) * (bits + 1))


def ring_end(depth: int, bits: int, style: str) -> Resources:
    """The end of a serial window, with the register in front.

    That and one place are words of a memory where this takes fewer tables, and the ring is in tables, too.
    """
    if ring_style(depth, bits, style) != "lutram" or ram_luts(2, bits) >= bits:
        return end(bits, 1)
    return _ram(2, bits) + Resources(lut=7, ff=bits + 5)


def ram_luts(depth: int, width: int) -> int:
    """A memory in look-up tables, one write and one read port: eight hold 14 bits of 32 words, or 7 of 64."""
    if depth <= 32:
        return 8 * ceil(width / 14)
    banks = ceil(depth / 64)
    return 8 * ceil(width / 7) * banks + (width * ceil((banks - 1) / 3) if banks > 1 else 0)


def _ram(depth: int, width: int) -> Resources:
    """That memory, and what it is on parts without; registers of addresses and words not counted."""
    return cost.in_tables(depth, width, ram_luts(depth, width), constant=False)


def held(depth: int, width: int) -> Resources:
    """The inputs of a position, held for further rows: a register, or a memory in look-up tables with its read address in registers."""
    if depth <= 1:
        return Resources(ff=width)
    return _ram(depth, width) + Resources(ff=(depth - 1).bit_length())


def dot_products(unit: Weighted, lanes: int, terms: int, folds: int, stages: int | None = None) -> Resources:
    """Dot products of a unit on heaps, and their accumulators.

    Args:
        unit: a matrix or depthwise unit.
        lanes, terms: results in parallel, and products of each.
        folds: cycles over which they are accumulated.
        stages: registers among the levels of the heap; by default one for every other level of a tree of the terms.
    """
    w, a, width = unit.weight_type, unit.frame.dtype, _sum_bits(unit)
    if stages is None:
        stages = terms.bit_length() // 2 if terms > 1 else 0
    luts = lanes * (heap_luts(terms, w, a, width) + _accumulator(width, folds, heap_excess(terms, w, a)))
    return Resources(lut=luts, ff=lanes * (heap_ffs(terms, w, a, width, stages) + width))


def _sum_bits(unit: Weighted) -> int:
    """Bits of an accumulator, a signed number."""
    return unit.acc.bits if unit.acc.signed else unit.acc.bits + 1


def _accumulator(width: int, folds: int, excess: int) -> int:
    """Tables of an accumulator of ``width`` bits: one per bit, with what chooses between its sum and the constant that it begins with.

    Of a sum of one cycle that constant, minus ``excess``, is all that is added: a table for each of its ones. Where it has none, the carry
    chain takes the sum's bit as it is.
    """
    return width if folds > 1 else (-excess % (1 << width)).bit_count()


def multiplied(unit: Weighted, lanes: int, terms: int, folds: int, stages: int) -> Resources:
    """Dot products of a unit in slices of their own, and their accumulators; arguments as of `dot_products`.

    Tools infer the multipliers alone: a register behind every product, adders and those among them are the fabric's.
    """
    w, a, width = unit.weight_type, unit.frame.dtype, _sum_bits(unit)
    slices, product = multiplier_dsps(w.bits, a.bits + (0 if a.signed else 1)), w.bits + a.bits
    one = Resources(
        lut=ceil(adder_tree_luts(terms, product)) + _accumulator(width, folds, 0),
        ff=terms * product + _tree_ffs(terms, product, stages) + width,
        dsp=terms * slices,
    )
    return one.times(lanes)


def packed_products(
    unit: Weighted, lanes: int, terms: int, packed: Packing, stages: int, *, folds: int = 2, held: int = 2
) -> Resources:
    """Dot products of a unit whose slices several rows share, and their accumulators (``flowc_dot_packed``).

    Slices add, and hold what waits up to two cycles. Beyond, weights and inputs of a slice wait in registers; two and more of them are,
    with the register that they have anyway, shift registers, which are look-up tables.

    Args:
        unit, lanes, terms: as of `dot_products`.
        packed: how slices are shared.
        stages: registers among the adders of the chains' sums.
        folds: cycles over which they are accumulated; a sum of one cycle adds what fields were made positive by.
        held: cycles that a slice holds weights (`packing.weights_held`).
    """
    w, a, width = unit.weight_type, unit.frame.dtype, _sum_bits(unit)
    least = min(0, *(x * y for x in (w.lo, w.hi) for y in (a.lo, a.hi)))
    length, groups = packed.length(terms), ceil(lanes / packed.rows)
    chains, sums = ceil(terms / length), groups * packed.rows * packed.field
    weights = lanes * w.bits if unit.weight_memory[0] > 1 else 0
    spent, more = 0, 0
    for chain in range(chains):
        slices = min(length, terms - chain * length)
        for bits, inside in ((a.bits, 2), (weights, held)):
            shifted, outside = max(0, slices - inside - 2), slices > inside + 1
            spent += shifted * bits
            more += (outside - shifted) * bits
        waits = length - slices
        spent += sums if waits > 2 else 0
        more += waits * sums if waits < 3 else 0
    own = packed.field + packed.known
    luts = lanes * (adder_tree_luts(chains, own) + _accumulator(width, folds, -least * terms)) + spent
    parts = Resources(
        lut=ceil(luts), ff=lanes * (_tree_ffs(chains, own + 1, stages) + width) + more, dsp=groups * terms
    )
    return parts + _overlaps(terms, packed, stages).times(lanes - groups) if packed.known else parts


def _overlaps(terms: int, packed: Packing, stages: int) -> Resources:
    """What sets a row's sums apart from those below, over which they lie: their lower bits, and what these borrow (``flowc_small``).

    Up to two bits of a product, a sum or a difference are a table, three are two; a borrow is one more. Registers behind every level.
    """
    known, length = packed.known, packed.length(terms)
    chains, two = ceil(terms / length), 1 if known < 3 else 2
    luts, ffs = 0.0, 0
    for chain in range(chains):
        count = min(length, terms - chain * length)
        levels = (count - 1).bit_length()
        nodes = sum(ceil(count / (1 << level)) for level in range(levels + 1))
        waits = length - levels
        luts += two * (2 * count - 1) + two + 1 + (known if waits > 1 else 0)
        ffs += known * (nodes + (waits if waits < 2 else -1))
    borrowed = adder_tree_luts(chains, 1)
    difference = packed.field + 1 + (chains - 1).bit_length()
    return Resources(lut=ceil(luts + borrowed + difference), ff=ffs + _tree_ffs(chains, 2, stages))


def _tree_ffs(count: int, bits: int, stages: int) -> int:
    """Registers of a tree of so many numbers (``flowc_tree``)."""
    levels = (count - 1).bit_length()
    return sum(
        ceil(count / (1 << level)) * (bits + level)
        for level in range(1, levels + 1)
        if level * stages // levels > (level - 1) * stages // levels
    )


def fifo(depth: int, width: int, style: str) -> Resources:
    """A stream's FIFO: two registers, or a memory (srl and lutram alike in look-up tables) with two pointers and a count."""
    if depth <= 2:
        return Resources(lut=width + 4, ff=2 * width + 2)
    pointers = counters(depth, depth, depth + 1) + Resources(lut=4, ff=1)  # the count's mark, and one more
    if style in ("srl", "lutram"):
        return pointers + _ram(depth, width)
    # The two words in front, from the memory or straight from the input
    return pointers + memory(depth, width, style) + Resources(lut=2 * width + 6, ff=3 * width + 4)


def converter(bits: int, wide_in: int, wide_out: int, delay: int = 2) -> Resources:
    """A width converter between ``wide_in`` and ``wide_out`` elements of ``bits`` bits per beat, ``delay`` registers before its end."""
    narrow, wide = sorted((wide_in * bits, wide_out * bits))
    last = end(wide_out * bits, delay)
    if wide % narrow:  # a shifter by any number of the greatest common parts
        held = narrow + wide
        return last + Resources(lut=30 + 3 * held, ff=held + 8)
    parts = counters(wide // narrow)
    if wide_in < wide_out:
        return last + parts + Resources(lut=4, ff=wide - narrow)
    return last + parts + Resources(lut=4 + wide, ff=wide - narrow)  # loaded or shifted, and the part that leaves first


def delay(length: int, width: int, style: str) -> Resources:
    """A word of ``length`` steps ago: registers for a few, else a ring in a memory."""
    if length <= 3:
        return Resources(ff=length * width)
    return ring_memory(length, width, style) + counters(length) + Resources(ff=(length - 1).bit_length())


def ring_style(depth: int, width: int, style: str) -> str:
    """What a ring is kept in: lutram, bram or uram."""
    return memory_style(depth, width) if style == "auto" else style


def ring_memory(depth: int, width: int, style: str) -> Resources:
    """The memory of a ring, its words in registers when they were read."""
    if ring_style(depth, width, style) == "lutram":
        return _ram(depth, width) + Resources(ff=width)
    return memory(depth, width, style)


def moves(farthest: int, size: int, step: int = 1) -> Resources:
    """The sums of a serial window's ring of ``size`` words that go up to ``farthest`` words ahead.

    Words ahead, room, both ways round the ring and the choice between them, and the constants of the next move. Round a ring of a power
    of two there is one way, and nothing to choose. Where every move is one more than a multiple of ``step``, as is from pixel to pixel of
    ``step`` words, and the ring has a multiple of them, the lowest bits of the address count up either way: a table each.
    """
    number, address = farthest.bit_length() + 1, (size - 1).bit_length()
    common = gcd(step, size)
    counted = min(address, (common & -common).bit_length() - 1)
    ways = 4 if size != 1 << address else 2
    return Resources(
        lut=ceil(2.5 * number + ways * (address - counted) + counted) + 9, ff=2 * number + 2 * address + 20
    )
