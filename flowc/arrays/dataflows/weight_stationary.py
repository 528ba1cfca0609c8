"""Weight stationary: a block of weights in the cells, activations through them, sums down (the TPU, CAMUY)."""

from __future__ import annotations

from flowc.arrays.counts import Counts, Sizes
from flowc.arrays.dataflows.stationary import count_stationary
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["count"]


def count(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    """K on the height, M (filters) on the width, positions stream; loads are overlapped as in CAMUY unless the setup says otherwise."""
    loads = "overlapped" if setup.loads == "published" else setup.loads
    return count_stationary(layer.positions, layer.terms, layer.filters, layer.groups, H, W, setup, loads)
