"""Thresholds alone, in every form, with which the synthesis benchmark holds the cost model against yosys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.synthesis_units import SEED, activate, maximum
from benchmarks.synthesis_units import thresholds as random_thresholds
from flowc.model.dtypes import SInt, UInt
from flowc.units import Unit

__all__ = ["drawn_thresholds", "threshold_units"]

SHAPES: list[tuple[int, int, int, int, str]] = [
    (1, 8, 64, 4, "compare"), (1, 16, 32, 8, "compare"), (2, 9, 8, 8, "compare"), (3, 14, 64, 4, "search"), (4, 12, 8, 4, "search"),
    (4, 13, 64, 8, "search"), (8, 20, 64, 2, "search"),
]  # fmt: skip
"""Bits of results and of arguments, channels, lanes, style."""


def threshold_units() -> Iterator[Unit]:
    """Compared and searched, of 1 to 8 bits; and in turn, behind a serial pool."""
    for bits, value, channels, pe, style in SHAPES:
        name = f"thresholds_{bits}_of_{value}_{channels}_{pe}_{style}"
        yield activate(name, SInt(value), UInt(bits), channels, pe, style)
    yield turned("thresholds_3_of_10_32_2_serial", 3, 10, 32, 2)


def turned(name: str, bits: int, value: int, channels: int, pe: int) -> Unit:
    """Thresholds in turn, of the greatest of so many taps as they have cycles for."""
    pool = maximum(name, channels, value, pe)
    taps = pool.with_(frame=replace(pool.frame, c=3 * bits * channels))
    found = random_thresholds(np.random.default_rng(1), UInt(value), UInt(bits), channels)
    return taps.with_(activation=replace(found, style="serial"))


def drawn_thresholds(seed: int = SEED) -> Iterator[Unit]:
    """Of shapes that nothing was fitted to, drawn at random, in the form that the model finds cheapest."""
    rng = np.random.default_rng(seed)
    for bits in range(1, 8):
        value, rows, pe = int(rng.integers(bits + 5, 22)), int(rng.integers(1, 40)), int(rng.integers(1, 9))
        yield activate(f"drawn_thresholds_{bits}", SInt(value), UInt(bits), rows * pe, pe)
