"""A second opinion on resources: the formulas that FINN estimates with, on flowc's folding.

LUTs of a matrix unit follow FINN-R (Blott et al., ACM TRETS 2018): products, adder tree, accumulator and, where asked
for, thresholds and comparators per processing element, plus a constant and, for weights in LUTs, their storage. Block
RAMs follow the memory shapes of the devices' user guides as FINN tabulates them. Written anew from the published
formulas; it shares nothing with `flowc.units.cost`. As in FINN's estimate reports, FIFOs, width converters and max
pools (with their windows) are not counted, and thresholds only where their memory is set to LUTs, which FINN's default
does not: its own figures are without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from flowc.units import Mvtu, Pool, Unit, Vvtu, WidthConverter, Window
from flowc.units.graph import Dataflow

__all__ = ["Estimate", "finn_estimate", "finn_unit"]

_CONSTANT = 300
_FACTOR = 1.1


@dataclass(frozen=True)
class Estimate:
    """LUTs, 18 kbit block RAMs, DSP slices and UltraRAMs."""

    lut: int = 0
    bram18: int = 0
    dsp: int = 0
    uram: int = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.lut + other.lut, self.bram18 + other.bram18, self.dsp + other.dsp, self.uram + other.uram)


def finn_estimate(graph: Dataflow, *, thresholds: bool = False) -> Estimate:
    """The sum over all units that FINN has a formula for: matrix units and their sliding windows."""
    total = Estimate()
    for unit in graph:
        if not (isinstance(unit, Window) and _feeds_pool(graph, unit)):
            total += finn_unit(unit, thresholds=thresholds)
    return total


def _feeds_pool(graph: Dataflow, window: Window) -> bool:
    unit: Unit = window
    while isinstance(unit, Window | WidthConverter):
        unit = graph[graph.out_of(unit.name)[0].dst]
    return isinstance(unit, Pool)


def finn_unit(unit: Unit, *, thresholds: bool = False) -> Estimate:
    """One unit's estimate; zero for kinds without a formula."""
    if isinstance(unit, Mvtu):
        levels = unit.mh // unit.pe if thresholds else 0
        return _matrix(unit, unit.pe, unit.simd, unit.mw, unit.mw // unit.simd * (unit.mh // unit.pe), levels)
    if isinstance(unit, Vvtu):
        simd, folds = unit.taps if unit.parallel else 1, unit.channels // unit.pe
        return _matrix(unit, unit.pe, simd, unit.taps, unit.taps // simd * folds, folds if thresholds else 0)
    if isinstance(unit, Window):
        return _window(unit)
    return Estimate()


def _matrix(unit: Mvtu | Vvtu, pe: int, simd: int, inputs: int, words: int, threshold_words: int) -> Estimate:
    w, a = unit.weight_type.bits, unit.frame.dtype.bits
    in_slices = unit.multiplier in ("dsp", "packed", "overlapped")
    products = 0 if in_slices else simd * (2 * ceil((w + a) / 6) - 1) * (w + a)
    tree = (w + a) * (2 * simd - 1)
    alpha = log2(inputs) + w + a - 1 - int(unit.frame.dtype.signed)
    acc = min(unit.acc.bits, ceil(alpha + log2(1 + 2**-alpha) + 1))
    thresholds = 0
    if unit.activation is not None and threshold_words:
        levels = 2**unit.activation.dtype.bits - 1
        thresholds = levels * acc * ceil(threshold_words / 64) + levels * acc
    storage = pe * simd * w * ceil(words / 64) if unit.memory == "lutram" else 0
    lut = int(_CONSTANT + _FACTOR * pe * (products + tree + acc + thresholds) + storage)
    dsp = int(pe * simd * ceil((w + a) / 48)) if in_slices else 0
    blocks = _weight_blocks(pe * simd * w, words) if unit.memory in ("bram", "auto") else 0
    ultra = ceil(pe * simd * w / 72) * ceil(words / 4096) if unit.memory == "uram" else 0
    return Estimate(lut, blocks, dsp, ultra)


def _weight_blocks(width: int, depth: int) -> int:
    if width <= 2:
        return ceil(depth / (16384 // width))
    if width <= 4:
        return ceil(depth / 4096)
    if width <= 9:
        return ceil(depth / 2048)
    if width <= 18 or depth > 512:
        return ceil(depth / 1024) * ceil(width / 18)
    return ceil(depth / 512) * ceil(width / 36)


def _window(unit: Window) -> Estimate:
    """One ring for a serial window; for a parallel one, a line buffer per kernel row but one."""
    width = unit.simd * unit.frame.dtype.bits
    beats = unit.frame.c // unit.simd
    (kh, kw), (dh, dw) = unit.kernel, unit.dilation
    if unit.parallel:
        count, depth = kh - 1, (unit.frame.w - ((kw - 1) * dw + 1) + unit.frame.w * (dh - 1)) * beats
    else:
        count, depth = 1, ((kh - 1) * dh * unit.frame.w + (kw - 1) * dw + 1) * beats
    if unit.memory == "lutram":
        held = ((kh - 1) * dh * unit.frame.w + (kw - 1) * dw + 1) * beats
        return Estimate(_CONSTANT + width * ceil(held / 38))
    shape = next((w for d, w in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2)) if depth <= d), 1)
    return Estimate(_CONSTANT, count * ceil(depth / 16384) * ceil(width / shape))
