"""DSP slices that several products share: weights joined in the wide operand, slices chained (`docs/cost-model.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from flowc.model.dtypes import IntType

__all__ = ["MAX_CHAIN", "Packing", "overlapping", "packing", "weights_held"]

MAX_CHAIN = 16
"""Longest chain of DSP slices whose products are added: they lie in one column, and each is a cycle of latency."""

_SHORT_CHAIN = 4

_MOST_KNOWN = 3
"""Most bits by which sums overlap: of two numbers of three bits each bit of product, sum and difference is a table of six inputs."""

_SERIES_7 = 25
"""Bits of the wide operand of DSP48E1."""


@dataclass(frozen=True)
class Packing:
    """How a DSP slice multiplies several weights by one activation, and how slices are chained (`docs/cost-model.md`).

    The weights, as unsigned codes, lie ``field`` bits apart in the wide operand: joined by wires, and no product reaches into the next.

    Attributes:
        rows: weights per slice; each belongs to another output.
        field: bits of a field.
        chain: slices whose products are added before the fields are taken apart; the sum of each still fits its field.
        known: bits by which a sum exceeds its field, into the next: so many lower bits of sums are known from tables (`overlapping`).
    """

    rows: int
    field: int
    chain: int
    known: int = 0

    def length(self, terms: int) -> int:
        """Slices of a chain where so many terms are added: as few chains as there may be, equally long, the last one perhaps shorter."""
        return ceil(terms / ceil(terms / self.chain))


@lru_cache(maxsize=4096)
def packing(w: IntType, a: IntType, lanes: int, port: int) -> Packing | None:
    """The packing of ``lanes`` outputs into the fewest slices; None where no two weights fit a slice.

    Of these the one with the longest chain. Where no chain of `_SHORT_CHAIN` were left, fewer rows share a slice: adders would take what
    slices save.

    Args:
        w, a: types of weights and activations.
        lanes: outputs in parallel.
        port: bits of a slice's wide operand, signed: 25 on 7 series, 27 on UltraScale.
    """
    greatest = 2 if w.bipolar else (1 << w.bits) - 1  # of a weight less its least value
    if (a.bipolar and w.bipolar) or a.bits + (0 if a.signed or a.bipolar else 1) > 18:
        return None

    def chain(rows: int) -> int:
        field = _field(w, rows, port)
        if field < 1:
            return 0
        room = min(((1 << field) - 1) // (greatest * a.hi), MAX_CHAIN) if a.lo >= 0 and a.hi > 0 else 0
        if a.lo < 0 and field > 1:
            half = (1 << (field - 1)) - 1  # a field may lack one for the field below it
            room = min(half // (greatest * max(-a.lo, a.hi)), MAX_CHAIN)
        return room

    fitting = [rows for rows in range(2, port) if chain(rows)]
    most = max((rows for rows in fitting if chain(rows) >= _SHORT_CHAIN), default=max(fitting, default=1))
    rows = ceil(lanes / ceil(lanes / most))  # no more than the number of slices asks for: the fields are wider then
    return Packing(rows, _field(w, rows, port), chain(rows)) if rows > 1 else None


@lru_cache(maxsize=4096)
def overlapping(w: IntType, a: IntType, lanes: int, port: int) -> Packing | None:
    """A packing into fewer slices than `packing` finds, of sums that overlap by up to three bits; None where there is none.

    Of neighbouring sums the upper bits of one lie over the lower bits of the next. These are known: modulo 2^k a sum takes k bits of its
    factors, a table or two for each product. What is there instead, less them, are the upper bits of the sum below (Sommer et al.,
    "DSP-Packing: Squeezing Low-precision Arithmetic into FPGA DSP Blocks", FPL 2022, correct the lowest bits of single products so).
    To every product is added what makes it positive, so a sum of N is at most ``N * (greatest - least)``, together with what comes
    from the field below, 2^k - 1, less than 2^(field + k). As few bits overlap as leave a chain of `_SHORT_CHAIN`.

    Args:
        w, a, lanes, port: as of `packing`.
    """
    apart = packing(w, a, lanes, port)
    if apart is None or w.bipolar or a.bipolar:
        return None
    ends = [x * y for x in (w.lo, w.hi) for y in (a.lo, a.hi)]
    least, greatest = min(0, *ends), max(ends)
    for slices in range(1, ceil(lanes / apart.rows)):
        rows = ceil(lanes / slices)
        field = _field(w, rows, port)
        for known in range(1, min(_MOST_KNOWN, w.bits - 1, field - 1) + 1):
            chain = min(((1 << (field + known)) - (1 << known)) // (greatest - least), MAX_CHAIN)
            if chain >= _SHORT_CHAIN and least % (1 << known) == 0:
                return Packing(rows, field, chain, known)
    return None


def _field(w: IntType, rows: int, port: int) -> int:
    """Bits between weights, so many to an operand: the product is 48 bits wide."""
    bits = 2 if w.bipolar else w.bits
    return min((port - 1 - bits) // (rows - 1), 48 // rows)


def weights_held(w: IntType, port: int) -> int:
    """Cycles that weights of type ``w`` wait inside a slice whose wide operand has ``port`` bits.

    Two on UltraScale, where slices are asked for by name. Those of 7 series are inferred: since constants lie between the weights, yosys
    takes no register in front of the pre-adder, only the one behind it, which unsigned weights have no use for.
    """
    if port > _SERIES_7:
        return 2
    return 1 if w.signed or w.bipolar else 0
