"""Output stationary: every cell adds up one output; inputs come from the left, weights from above (SCALE-Sim's OS, ShiDianNao's kin)."""

from __future__ import annotations

import numpy as np

from flowc.arrays.counts import Counts, Sizes, blocks
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["count"]


def count(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    """T positions on the height, M filters on the width, K cycles per block.

    A word passes a cell in each of K cycles from the left and from above; finished outputs shift down their column, so that the
    one i rows above the edge makes i + 1 moves. A cell reads and writes its sum and latches both operands: four register accesses
    a product. Cycles as SCALE-Sim's, H + W + K - 2 per block; with overlapped loads blocks follow each other, at least H cycles
    apart, since a column lets one output out per cycle.
    """
    T, K, M = layer.positions, layer.terms, layer.filters
    down, across = blocks(T, H), blocks(M, W)
    words = float(T) * K * across + float(K) * M * down + float(T) * M
    if setup.toggles:
        passed = down * across * (2 * K * H * W + W * H * (H + 1) / 2)
        register = 4 * K * H * W * down * across
    else:
        last = T - (down - 1) * H
        passed = 2.0 * T * K * M + M * ((down - 1) * H * (H + 1) + last * (last + 1)) / 2
        register = np.full(H.shape, 4.0 * T * K * M)
    counts = Counts(np.zeros(H.shape), words, passed, register).times(layer.groups)
    folds = layer.groups * down * across
    if setup.loads in ("published", "exposed"):
        cycles = folds * (H + W + K - 2)
    else:
        cycles = folds * np.maximum(K, H) + H + W - 2
    return Counts(cycles, counts.buffer, counts.inter_pe, counts.intra_pe)
