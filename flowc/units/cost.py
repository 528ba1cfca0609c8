"""What hardware costs: memories packed into real blocks, and look-up tables of arithmetic.

The figures are for AMD/Xilinx devices with 6-input look-up tables (7 series and UltraScale+). `docs/cost-model.md` derives
every formula and shows how its constants were measured. A figure that is not known is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from math import ceil

from flowc.model.dtypes import IntType
from flowc.units import ice40
from flowc.units.packing import Packing

__all__ = [
    "ARRIVING",
    "BLOCK_SHAPES",
    "CONTROL",
    "LINE_MEMORIES",
    "MAX_PRODUCTS",
    "MAX_STREAM_BITS",
    "MOST_LOGIC",
    "MULTIPLIERS",
    "RING_CONTROL",
    "SHARED",
    "THRESHOLD_MEMORIES",
    "WEIGHT_MEMORIES",
    "WIDEST_WORD",
    "Resources",
    "accumulator_luts",
    "adder_tree_luts",
    "block_rams",
    "comparator_luts",
    "constants",
    "converter",
    "dma_engine",
    "dot_luts",
    "fifo",
    "fifo_memory",
    "held",
    "in_tables",
    "key_style",
    "memory",
    "memory_style",
    "multiplier_dsps",
    "multiplier_luts",
    "mux_luts",
    "on_ice40",
    "parameters",
    "popcount_luts",
    "prefers_dsp",
    "products",
    "shift_register_luts",
    "ultra_rams",
    "weight_reader",
    "weight_rom",
]

BLOCK_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
"""(depth, width) of an 18 kbit block RAM in simple dual-port use."""

ULTRA_SHAPE = (4096, 72)
"""(depth, width) of an UltraRAM. It has one shape."""

LUTS_PER_BLOCK = 160
"""Look-up tables that are worth one 18 kbit block, where a memory's style is left open (ratio of the two on mid-size parts)."""

THRESHOLD_MEMORIES = {"auto": LUTS_PER_BLOCK, "lutram": 1 << 30, "bram": 20}
"""Styles of the memories of thresholds, and how many look-up tables are then worth a block: all in tables, or blocks that save some."""

MOST_LOGIC = 8192
"""Bits of a memory of an activation that lies in look-up tables."""

CONTROL = 60
"""Look-up tables of a unit's loop counters, handshakes and state, without any data path."""

ARRIVING = ("uram", "stream")
"""Memory styles of weights that come from the external memory."""

WEIGHT_MEMORIES = ("auto", "lutram", "bram", *ARRIVING)
"""Every memory style of weights."""

LINE_MEMORIES = ("auto", "lutram", "bram", "uram")
"""Where line buffers may lie."""

MULTIPLIERS = ("auto", "lut", "dsp")
"""Multiplier styles that every product has."""

SHARED = ("packed", "overlapped")
"""Multiplier styles of matrix units: several products to a DSP slice (`flowc.units.packing`)."""

MAX_STREAM_BITS = 4096
"""Widest stream, and widest slice of a weight memory that one processing element reads (limit of an HLS stream)."""

WIDEST_WORD = 4096
"""Widest word, in bits, that is one memory: HLS knows no wider integers. Wider ones are cut into slices."""

MAX_PRODUCTS = 2048
"""Most products of one pipelined loop: beyond, scheduling takes hours. A backend that writes loops splits what exceeds them
(`flowc.backends.hls.split`), which depthwise products and weights that arrive do not allow."""

RING_CONTROL = 100
"""Look-up tables of a serial window's counters, besides what grows with the ring."""


@dataclass(frozen=True)
class Resources:
    """Look-up tables, flip-flops, 18 kbit block RAMs, UltraRAMs and DSP slices; None where not known.

    Attributes:
        lut, ff, bram18, uram, dsp: see above.
        memory_luts: those of ``lut`` that hold memories, written or constant.
        ice40_luts, ice40_ffs, ice40_ebrs: what those memories and the ones in blocks take on iCE40 (`flowc.units.ice40`): tables with 4
            inputs, flip-flops besides ``ff``, and block RAMs of 4 kbit.
    """

    lut: int | None = 0
    ff: int | None = 0
    bram18: int | None = 0
    uram: int | None = 0
    dsp: int | None = 0
    memory_luts: int = field(default=0, repr=False, compare=False)
    ice40_luts: int = field(default=0, repr=False, compare=False)
    ice40_ffs: int = field(default=0, repr=False, compare=False)
    ice40_ebrs: int = field(default=0, repr=False, compare=False)

    def __add__(self, other: Resources) -> Resources:
        return Resources.total((self, other))

    def exchanged(self, part: Resources, other: Resources) -> Resources:
        """What this takes with ``other`` in the place of a part of it."""
        return Resources.total((self, part.times(-1), other))

    def times(self, count: int) -> Resources:
        """What ``count`` of these take."""
        if count == 1:
            return self
        return Resources(*[None if n is None else count * n for n in self._figures()])  # type: ignore[arg-type]

    @staticmethod
    def total(parts: Iterable[Resources]) -> Resources:
        """The sum. What is unknown in one part is unknown in the sum."""
        columns = zip(*[part._figures() for part in parts], strict=True)
        return Resources(*[None if None in column else sum(column) for column in columns])  # type: ignore[arg-type]

    def _figures(self) -> tuple[int | None, ...]:
        counted = (self.lut, self.ff, self.bram18, self.uram, self.dsp)
        return (*counted, self.memory_luts, self.ice40_luts, self.ice40_ffs, self.ice40_ebrs)

    def as_dict(self) -> dict[str, int | None]:
        """The figures under the keys of ``report.json``."""
        return {"lut": self.lut, "ff": self.ff, "bram18": self.bram18, "uram": self.uram, "dsp": self.dsp}


# -- memories -----------------------------------------------------------------------------------------------------


@cache
def block_rams(depth: int, width: int) -> int:
    """18 kbit block RAMs of a memory of ``depth`` words of ``width`` bits: the best of the uniform tilings."""
    return min(ceil(depth / d) * ceil(width / w) for d, w in BLOCK_SHAPES)


def ultra_rams(depth: int, width: int) -> int:
    """UltraRAMs of a memory of ``depth`` words of ``width`` bits."""
    return ceil(depth / ULTRA_SHAPE[0]) * ceil(width / ULTRA_SHAPE[1])


def mux_luts(ways: int) -> int:
    """Look-up tables per bit of a multiplexer: one table for the first four ways, one more for every three."""
    return ceil((ways - 1) / 3)


def _rom_luts(depth: int, width: int) -> int:
    """A constant memory in look-up tables, 64 words of one bit in each; F7 and F8 join four tables for nothing."""
    return width * (ceil(depth / 64) + mux_luts(ceil(depth / 256)))


def _ram_luts(depth: int, width: int) -> int:
    """A written memory with one write and one read port in look-up tables: 4 hold 6 bits of 32 words or 3 bits of 64."""
    if depth <= 32:
        return ceil(width / 6) * 4
    return ceil(width / 3) * 4 * ceil(depth / 64) + width * mux_luts(ceil(depth / 64))


def shift_register_luts(depth: int, width: int) -> int:
    """Addressable shift registers: two bits of 16 stages per table, or one of 32; F7 and F8 join four tables for nothing."""
    if depth <= 16:
        return ceil(width / 2)
    return width * (ceil(depth / 32) + mux_luts(ceil(depth / 128)))


@cache
def memory(depth: int, width: int, style: str, *, constant: bool = False) -> Resources:
    """A memory of ``depth`` words of ``width`` bits, read at one address per cycle and, unless constant, written at another.

    Args:
        depth: words; a single constant word costs nothing, a single written word is a register.
        width: bits per word.
        style: lutram, bram, uram, or auto (`memory_style`).
        constant: contents are fixed at synthesis.
    """
    if depth <= 1 or width == 0:
        return Resources(ff=0 if constant else depth * width)
    if style == "auto":
        style = memory_style(depth, width, constant=constant)
    if style == "bram":
        banks = min((ceil(depth / d) * ceil(width / w), ceil(depth / d)) for d, w in BLOCK_SHAPES)[1]
        return Resources(lut=width * mux_luts(banks), bram18=block_rams(depth, width)) + on_ice40(depth, width)
    if style == "uram":
        return Resources(uram=ultra_rams(depth, width))
    tables = _rom_luts(depth, width) if constant else _ram_luts(depth, width)
    return in_tables(depth, width, tables, constant=constant) + Resources(ff=width)


def on_ice40(depth: int, width: int) -> Resources:
    """The blocks of iCE40 that a memory takes which must lie in block RAM, and nothing else."""
    return Resources(ice40_ebrs=ice40.blocks(depth, width))


def in_tables(depth: int, width: int, luts: int, *, constant: bool) -> Resources:
    """A memory in ``luts`` look-up tables with 6 inputs, and what yosys makes of it on iCE40; without registers of addresses and words."""
    found = ice40.constant(depth, width, luts) if constant else ice40.written(depth, width)
    return Resources(luts, memory_luts=luts, ice40_luts=found.lut4, ice40_ffs=found.ff, ice40_ebrs=found.ebr)


def held(depth: int, width: int) -> Resources:
    """A small buffer whose words return soon: registers with a multiplexer up to 8 words, then a memory."""
    if depth > 8:
        return memory(depth, width, "auto")
    return Resources(lut=width * (0 if depth <= 1 else 1 if depth <= 4 else 2), ff=depth * width)


@cache
def memory_style(depth: int, width: int, *, constant: bool = False, worth: int = LUTS_PER_BLOCK) -> str:
    """Lutram or bram: the cheaper where a memory's style is ``auto``, a block being worth so many look-up tables."""
    table = memory(depth, width, "lutram", constant=constant).lut or 0
    return "lutram" if table <= worth * block_rams(depth, width) else "bram"


def key_style(depth: int, width: int) -> str:
    """Lutram or bram, as activations in SystemVerilog have a memory that is left to them: beyond `MOST_LOGIC` bits its tables are slow."""
    return "bram" if depth * width > MOST_LOGIC else "lutram"


@cache
def weight_rom(depth: int, width: int, style: str) -> Resources:
    """A memory of weights, in as many slices as `WIDEST_WORD` asks for.

    Args:
        depth, width: see `memory`.
        style: as of `memory`; or stream: none. Both uram and stream include what brings the weights (`weight_reader`).
    """
    if style in ARRIVING:
        kept = memory(depth, width, "uram") if style == "uram" else Resources()
        return kept + weight_reader(width)
    parts = ceil(width / WIDEST_WORD)
    return memory(depth, ceil(width / parts), style, constant=True).times(parts)


def constants(depth: int, width: int, worth: int = LUTS_PER_BLOCK) -> Resources:
    """A constant memory in what is cheaper, a block being worth so many look-up tables."""
    return memory(depth, width, memory_style(depth, width, constant=True, worth=worth), constant=True)


def weight_reader(width: int) -> Resources:
    """What brings words of ``width`` bits from the external memory. An estimate: nothing of it was synthesized.

    An AXI master of at most 512 bits with 256 beats of read buffer, registers at the control bus, a width converter, a port.
    """
    beat = min(512, max(32, 1 << (width - 1).bit_length()))
    buffer = memory(256, beat, "bram")
    return buffer + Resources(lut=700 + beat, ff=1000 + 2 * beat + 2 * width)


def dma_engine(width: int) -> Resources:
    """A further DMA engine of a stream, for parts of ``width`` bits of its beats. An estimate, as `weight_reader` is one."""
    return weight_reader(width)


def parameters(sets: int, lanes: int, channels: int, widths: Iterable[int], worth: int = LUTS_PER_BLOCK) -> Resources:
    """The memories of per-channel parameters: one for every parameter (of so many bits) and lane; a single set is wired in.

    A block is worth ``worth`` look-up tables.
    """
    if sets == 1:
        return Resources()
    depth, counts = ceil(channels / lanes), Counter(bits for bits in widths if bits)
    one = Resources.total(constants(depth, bits, worth).times(n) for bits, n in counts.items())
    return one.times(lanes)


@cache
def fifo_memory(
    depth: int, width: int, luts_per_block: float = LUTS_PER_BLOCK, luts_per_ultra: float | None = None
) -> str:
    """The cheapest storage, srl, lutram, bram or uram, for a FIFO of ``depth`` beats of ``width`` bits.

    Args:
        depth, width: see above.
        luts_per_block, luts_per_ultra: what a block is worth in look-up tables; None: the device has no such blocks.
    """

    def price(style: str) -> float:
        used = fifo(depth, width, style)
        return (used.lut or 0) + luts_per_block * (used.bram18 or 0) + (luts_per_ultra or 0.0) * (used.uram or 0)

    return min(("srl", "lutram", "bram", *(() if luts_per_ultra is None else ("uram",))), key=price)


@cache
def fifo(depth: int, width: int, style: str) -> Resources:
    """A stream's FIFO: storage (srl, lutram, bram or uram), pointers and flags."""
    pointer = max(1, (depth - 1).bit_length())
    if style == "srl":
        return Resources(lut=shift_register_luts(depth, width) + 6 + 2 * pointer, ff=2 * pointer + 4)
    # The output register of a memory FIFO is what keeps its read latency at one cycle.
    return memory(depth, width, style) + Resources(lut=12 + 4 * pointer, ff=4 * pointer + width)


# -- arithmetic ---------------------------------------------------------------------------------------------------


def comparator_luts(bits: int) -> float:
    """``a >= b`` of ``bits`` bits: a table compares two bits of each, the carry chain joins them."""
    return 0.65 * bits


def accumulator_luts(bits: int) -> float:
    """An accumulator that adds or loads: one table per bit."""
    return bits


def popcount_luts(n: int) -> float:
    """The number of ones among ``n`` bits."""
    return max(0.0, 2.0 * (n - 1))


def adder_tree_luts(n: int, bits: int) -> float:
    """The sum of ``n`` numbers of ``bits`` bits: a binary tree of carry chains, one table per bit of a result."""
    total, level = 0.0, bits
    while n > 1:
        level += 1
        total += (n // 2) * level
        n -= n // 2
    return total


def multiplier_luts(a: int, b: int) -> float:
    """A signed product of ``a`` and ``b`` bits. Up to six bits in all, every bit of the product is a function of one table."""
    small, large = sorted((a, b))
    if small == 1:
        return 0.5 * large
    if small + large <= 6:
        return 1.75 * (small + large)
    return 2.1 * large if small == 2 else 1.9 * small * large - 2


def dot_luts(n: int, w: IntType, a: IntType) -> float:
    """``n`` products of types ``w`` and ``a``, and their sum."""
    if w.bipolar and a.bipolar:
        return 3.1 * n
    if w.bipolar or a.bipolar:
        bits = a.bits if w.bipolar else w.bits
        return n * 1.15 * bits + adder_tree_luts(n, bits + 1)
    return n * multiplier_luts(w.bits, a.bits) + adder_tree_luts(n, w.bits + a.bits)


def prefers_dsp(w: IntType, a: IntType) -> bool:
    """Whether a product whose multiplier style is ``auto`` goes to a DSP slice."""
    return min(w.bits, a.bits) > 1 and w.bits * a.bits > 32


def products(
    w: IntType, a: IntType, acc: IntType, style: str, lanes: int, terms: int, folds: int, packed: Packing | None = None
) -> Resources:
    """``lanes`` dot products of ``terms`` products a cycle, each accumulated over ``folds`` cycles.

    Args:
        w, a: types of the factors.
        acc: type of the accumulator.
        style: lut, dsp, packed (several products of one ``a`` in a slice), or auto (`prefers_dsp`).
        lanes, terms, folds: see above.
        packed: how, with style packed.
    """
    accumulate = accumulator_luts(acc.bits) if folds > 1 else 0.0
    if packed is not None:
        chains = ceil(terms / packed.chain)
        luts = lanes * (adder_tree_luts(chains, packed.field) + accumulate)
        if a.lo < 0:  # the borrow of the field below
            luts += lanes * chains * packed.field
        if w.signed or w.bipolar:  # the offset of the codes, times the sum of the activations, which all lanes share
            luts += adder_tree_luts(terms, a.bits) + lanes * acc.bits
        return Resources(
            lut=ceil(luts), ff=ceil(luts) + lanes * packed.field * chains, dsp=ceil(lanes / packed.rows) * terms
        )
    if style == "dsp" or (style == "auto" and prefers_dsp(w, a)):
        slices = multiplier_dsps(w.bits, a.bits + (0 if a.signed else 1))
        luts = adder_tree_luts(terms, w.bits + a.bits) + accumulate
        return Resources(lut=ceil(lanes * luts), ff=ceil(lanes * luts), dsp=lanes * terms * slices)
    luts = dot_luts(terms, w, a) + accumulate
    return Resources(lut=ceil(lanes * luts), ff=ceil(lanes * luts))


def multiplier_dsps(a: int, b: int) -> int:
    """DSP slices of one product of ``a`` and ``b`` bits (signed 25 x 18 on 7 series, 27 x 18 on UltraScale+: the former is taken)."""
    small, large = sorted((a, b))
    return (
        min(ceil(small / 17) * ceil(large / 24), ceil(small / 24) * ceil(large / 17))
        if (small > 18 or large > 25)
        else 1
    )


@cache
def converter(bits: int, wide_in: int, wide_out: int) -> Resources:
    """A width converter between ``wide_in`` and ``wide_out`` elements of ``bits`` bits per beat."""
    small, large = sorted((wide_in, wide_out))
    if small == large:
        return Resources()
    if large % small == 0:  # a wide word that beats are shifted into or out of
        word = large * bits
        return Resources(lut=20 + (word if wide_in > wide_out else 0), ff=word + small * bits + 8)
    held = (wide_in + wide_out) * bits
    return Resources(lut=30 + 3 * held, ff=held + 8)
