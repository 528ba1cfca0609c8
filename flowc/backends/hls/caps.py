"""What one integer, one array and one loop of HLS C++ hold at most, and which units of a design would need more.

Vitis HLS refuses integers of more than 4,096 bits and partitions of more than 1,024 parts; loops that are unrolled into many thousand
operations take it hours. Allocation keeps to this; a folding by hand may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

from flowc.backends.hls.parameters import stored_bits
from flowc.units import (
    Activate,
    Concat,
    GlobalSum,
    Join,
    Lookup,
    Mvtu,
    Pool,
    Thresholds,
    Unit,
    Vvtu,
    WidthConverter,
    Window,
)
from flowc.units.cost import MAX_PRODUCTS, WIDEST_WORD
from flowc.units.graph import Dataflow
from flowc.units.thresholds import MAX_COMPARISONS

__all__ = ["MAX_PARTS", "Figure", "capped", "exceeded"]

MAX_PARTS = 1024
"""Most parts of an array."""


class Figure(NamedTuple):
    """A unit's figure, and its cap."""

    unit: str
    what: str
    value: int
    cap: int

    def __str__(self) -> str:
        return f"'{self.unit}': {self.what}: {self.value:,}, at most {self.cap:,} are possible"


def exceeded(graph: Dataflow) -> list[Figure]:
    """Everything in a design, its large units split as they are written, that is beyond a cap."""
    return [figure for figure in capped(graph) if figure.value > figure.cap]


def capped(graph: Dataflow) -> Iterator[Figure]:
    """Every figure that has a cap."""
    for unit in graph:
        for figures, cap in (
            (_words, WIDEST_WORD),
            (_parts, MAX_PARTS),
            (_products, MAX_PRODUCTS),
            (_compares, MAX_COMPARISONS),
        ):
            for what, value in figures(unit):
                yield Figure(unit.name, what, value, cap)


def _words(unit: Unit) -> Iterator[tuple[str, int]]:
    """Bits of what the unit handles as one integer."""
    widths, frames = (*unit.in_widths, *unit.out_widths), (*unit.inputs, *unit.outputs)
    for width, frame in zip(widths, frames, strict=True):
        yield "bits of a beat", width * frame.dtype.bits
    if isinstance(unit, WidthConverter):
        wide = unit.wide_in, unit.wide_out
        if gcd(*wide) != min(wide):
            yield "bits that are held", sum(wide) * unit.frame.dtype.bits
    if isinstance(unit, Mvtu | Vvtu):
        lane = unit.simd if isinstance(unit, Mvtu) else 1
        row = unit.weight_memory[1] if unit.weights_arrive else lane * unit.weight_type.bits
        yield "bits of a row of weights", row
    if isinstance(unit, GlobalSum):
        yield "bits of a word of sums", unit.pe * unit.acc.bits
    if isinstance(unit, Window) and unit.pixels > 1:
        yield "bits of a beat of every row of taps", unit.kernel[0] * unit.line_memory[2]
    compared = _compared(unit)
    if compared is not None and compared[0] < unit.outputs[0].c:  # a single block is wired in
        _, activation = compared
        yield "bits of a lane's thresholds", activation.levels * stored_bits(activation.values)


def _parts(unit: Unit) -> Iterator[tuple[str, int]]:
    """Parts of the arrays into which the unit takes its beats apart, and of its weights."""
    if isinstance(unit, Mvtu | Vvtu | Pool | GlobalSum | Activate | Join | Lookup | Concat):
        yield "elements in parallel", max(*unit.in_widths, *unit.out_widths)
    if isinstance(unit, Mvtu | Vvtu) and not unit.weights_arrive:
        yield "slices of a row of weights", -(-unit.weight_memory[1] // WIDEST_WORD)


def _products(unit: Unit) -> Iterator[tuple[str, int]]:
    """Operations of the unit's loop."""
    if isinstance(unit, Mvtu):
        yield "products in a cycle", unit.pixels * unit.pe * unit.simd
    if isinstance(unit, Vvtu):
        yield "products in a cycle", unit.products


def _compares(unit: Unit) -> Iterator[tuple[str, int]]:
    compared = _compared(unit)
    if compared is not None:
        lanes, activation = compared
        yield "comparisons with thresholds in a cycle", lanes * activation.levels


def _compared(unit: Unit) -> tuple[int, Thresholds] | None:
    """Lanes and activation of a unit that compares with all thresholds at once."""
    activation = getattr(unit, "activation", None)
    if not isinstance(activation, Thresholds):
        return None
    lanes, channels = unit.out_widths[0], unit.outputs[0].c
    source = unit.frame.dtype if isinstance(unit, Activate) else getattr(unit, "acc", None)
    if source is None or activation.searched(lanes, channels, source):
        return None
    return lanes, activation
