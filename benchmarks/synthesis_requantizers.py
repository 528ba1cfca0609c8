"""Units with requantizers, and joins, with which the synthesis benchmark holds the cost model against yosys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.synthesis_units import SEED, depthwise, matrix
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.units import Activation, Frame, Join, Requant, Unit

__all__ = ["requantizer_units"]

LATE: list[tuple[str, int, int, int, int]] = [
    ("mvtu", 1, 1, 1, 8), ("mvtu", 6, 1, 1, 8), ("mvtu", 6, 2, 2, 6), ("mvtu", 16, 4, 1, 4), ("vvtu", 16, 1, 1, 8), ("vvtu", 6, 2, 3, 4),
]  # fmt: skip
"""Kind, rows of late levels, lanes, bits of their numbers, bits of results."""

JOINS: list[tuple[str, str, int, bool, bool]] = [
    ("add_constant", "add", 1, False, True), ("add_constant_4", "add", 4, False, True), ("add_plain", "add", 2, False, False),
    ("add_channels", "add", 2, True, True), ("add_channels_plain", "add", 2, True, False), ("mul", "mul", 2, False, True),
]  # fmt: skip
"""Name, what is done, lanes, whether every channel has scales of its own, whether a requantizer follows."""


def requantizer_units(seed: int = SEED) -> Iterator[Unit]:
    """Matrix and depthwise units with levels that are entered late, a depthwise one without, and joins; of widths drawn at random."""
    rng = np.random.default_rng(seed)
    for kind, rows, pe, late, out in LATE:
        w, a = SInt(int(rng.integers(3, 9))), UInt(int(rng.integers(4, 9)))
        channels = pe * (6 if rows == 1 else rows)
        if kind == "mvtu":
            unit: Unit = matrix(f"mvtu_late_{rows}_{pe}_{late}", w, a, None, (18, channels), (pe, 1), multiplier="dsp")
        else:
            unit = depthwise(f"vvtu_late_{rows}_{pe}_{late}", channels, pe)
        yield unit.with_(activation=_requant(rng, UInt(out), channels, rows, late))
    yield depthwise("vvtu_requant", 12, 2).with_(activation=_requant(rng, UInt(4), 12))
    for name, op, pe, own, requantized in JOINS:
        yield _join(rng, f"join_{name}", op, pe, own=own, requantized=requantized)


def _requant(rng: np.random.Generator, out: IntType, channels: int, late_rows: int = 0, late: int = 0) -> Requant:
    factor, addend = int(rng.integers(10, 18)), int(rng.integers(20, 34))
    mult = rng.integers(1 << (factor - 1), 1 << factor, channels)
    table = rng.integers(0, 1 << late, (1 if late_rows == 1 else channels, out.hi)) if late else None
    add = rng.integers(-(1 << addend), 1 << addend, channels)
    return Requant(
        dtype=out, mult=mult, add=add, shift=int(rng.integers(factor, 26)), lo=0, hi=out.hi, late=table, slices=True
    )


def _join(rng: np.random.Generator, name: str, op: str, pe: int, *, own: bool, requantized: bool) -> Join:
    left, right, channels = UInt(int(rng.integers(4, 9))), UInt(int(rng.integers(4, 9))), 8 * pe
    sets = channels if own else 1
    scales = [
        rng.integers(1 << 6, 1 << int(rng.integers(7, 12)), sets) if op == "add" else np.ones(1, np.int64)
        for _ in range(2)
    ]
    offsets = (int(rng.integers(1, left.hi)), int(rng.integers(1, right.hi))) if op == "mul" else (0, 0)
    if op == "add":
        acc = IntType.for_range(0, int(left.hi * scales[0].max() + right.hi * scales[1].max()))
    else:
        acc = IntType.for_range(-left.hi * right.hi, left.hi * right.hi)
    activation: Activation | None = _requant(rng, UInt(8), channels if own else 1) if requantized else None
    return Join(
        name=name, left=Frame(1, 1, channels, left), right=Frame(1, 1, channels, right), op=op, acc=acc, left_scale=scales[0],
        right_scale=scales[1], left_offset=offsets[0], right_offset=offsets[1], activation=activation, pe=pe,
    )  # fmt: skip
