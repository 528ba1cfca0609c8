"""No local reuse: cells hold nothing, sums run across them and back to the buffer (DianNao, Zhang et al. FPGA 2015)."""

from __future__ import annotations

import numpy as np

from flowc.arrays.counts import Counts, Sizes, blocks
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["count"]


def count(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    """H input channels times W filters at a time, one position and one kernel element per cycle.

    By Eyeriss' analysis (ISCA 2016, section III-C and equations 3 and 4, no register level): an input goes to the W cells of its
    row; every product reads its weight from the buffer; the H sums of a column add up from cell to cell and go to the buffer once
    per kernel element and channel block, and come back for the next. A bus reaches idle cells too where they toggle.
    """
    T, C, M, taps = layer.positions, layer.channels, layer.filters, layer.kernel_rows * layer.kernel_columns
    down, across = blocks(C, H), blocks(M, W)
    steps = taps * down
    macs = float(T) * taps * C * M
    words = float(T) * taps * C * across + macs + float(T) * M * (2 * steps - 1)
    if setup.toggles:
        passed = T * steps * across * (3 * H * W - W)
    else:
        passed = 3 * macs - float(T) * M * steps
    counts = Counts(T * steps * across, words, passed, np.zeros(H.shape)).times(layer.groups)
    return Counts(counts.cycles + H, counts.buffer, counts.inter_pe, counts.intra_pe)
