"""Input stationary: a block of inputs in the cells, weights through them, sums down. Weight stationary with the operands swapped."""

from __future__ import annotations

from flowc.arrays.counts import Counts, Sizes
from flowc.arrays.dataflows.stationary import count_stationary
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["count"]


def count(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    """K on the height, positions on the width, filters stream; loads are exposed as in SCALE-Sim unless the setup says otherwise."""
    loads = "exposed" if setup.loads == "published" else setup.loads
    return count_stationary(layer.filters, layer.terms, layer.positions, layer.groups, H, W, setup, loads)
