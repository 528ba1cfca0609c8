"""A systolic array with one operand standing in its cells: what weight and input stationary arrays share.

A block of the standing operand, H rows (terms of the sum) by W columns, is loaded; the other operand enters from the left, one
word per row and cycle, a row later than the one above; sums run down the columns into accumulators.
"""

from __future__ import annotations

import numpy as np

from flowc.arrays.counts import Counts, Sizes, blocks
from flowc.arrays.setup import Setup

__all__ = ["count_stationary"]


def count_stationary(
    stream: int, terms: int, standing: int, groups: int, H: Sizes, W: Sizes, setup: Setup, loads: str
) -> Counts:
    """Counts of ``groups`` products, each of a ``terms`` x ``standing`` matrix in the cells and ``stream`` vectors through it.

    The formulas are those of CAMUY (Stehle, Schindler, Fröning, arXiv:2006.14008) for toggling cells and overlapped loads, and of
    SCALE-Sim (Samajdar et al., ISPASS 2020) for the cycles of exposed loads. Used rows are the lowest ones, so that a sum that
    starts in the first of them passes no idle cell; used columns are the leftmost.

    Args:
        stream: vectors that pass, the positions of a weight stationary array.
        terms: products per sum, along the height.
        standing: columns of the standing matrix, along the width.
        groups: products of this shape, one after the other.
        H, W: heights and widths of the arrays, shape (arrays,).
        setup: accumulators and idle cells.
        loads: one of `flowc.arrays.setup.LOADS` but "published".
    """
    down, across = blocks(terms, H), blocks(standing, W)
    half = setup.accumulators // 2
    fills = -(-stream // half)
    words = stream * terms * across + terms * standing * fills + float(stream) * standing
    added = float(stream) * standing * down
    if setup.toggles:
        passed = stream * down * across * (2 * H * W - W)
        register = 3 * stream * H * W * down * across
    else:
        passed = np.broadcast_to(2.0 * stream * terms * standing - added, H.shape)
        register = np.full(H.shape, 3.0 * stream * terms * standing)
    counts = Counts(np.zeros(H.shape), words, passed + added, register).times(groups)
    return Counts(
        _cycles(stream, half, groups * down * across, H, W, loads), counts.buffer, counts.inter_pe, counts.intra_pe
    )


def _cycles(stream: int, half: int, folds: Sizes, H: Sizes, W: Sizes, loads: str) -> Sizes:
    """Cycles of so many blocks: with H + W for the wave to run in and out, once or each time."""
    if loads == "exposed":
        return folds * (2 * H + W + stream - 2)
    if loads == "overlapped":
        return folds * stream + H + W
    full, rest = divmod(stream, half)
    passes = full * np.maximum(half, H) + (np.maximum(rest, H) if rest else 0)
    return folds * passes + 2 * H + W
