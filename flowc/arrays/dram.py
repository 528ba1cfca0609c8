"""Words that a layer moves between DRAM and the unified buffer. The same for every height, width and dataflow."""

from __future__ import annotations

from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["dram_words"]

_MOST_PIECES = 64


def dram_words(layer: Layer, setup: Setup) -> int:
    """The fewest words, over a few orders of the loops, with each group on its own and nothing kept from layer to layer.

    - One operand of a group fits into half of the buffer: every operand comes in once.
    - Blocks of whole filters stay in half of the buffer while all inputs pass, once per block.
    - Blocks of inputs stay, seams between them read twice, while all weights pass, once per block.
    - A block of sums, t positions of m filters, stays in seven eighths of the buffer while its inputs and weights pass: inputs
      once per block of filters, weights once per block of positions. This is what Eyeriss' chip does (JSSC 2017, section IV).

    Results go out once.

    Args:
        layer: with its batch in it.
        setup: the buffer.
    """
    half = setup.buffer // 2
    row = layer.input_columns * layer.channels
    inputs = layer.planes * layer.input_rows * row
    weights = layer.terms * layer.filters
    results = layer.positions * layer.filters
    if inputs <= half or weights <= half:
        return layer.groups * (inputs + weights + results)
    seam = max(layer.reach_rows - layer.stride_rows, 0) * row

    def passing(pieces: int) -> int:
        """Inputs that come in where they come in pieces: whole planes as long as there are as many."""
        return inputs + max(pieces - layer.planes, 0) * seam

    pieces = -(-inputs // half)
    orders = [passing(pieces) + weights * pieces]
    if layer.terms <= half:
        orders.append(weights + inputs * -(-layer.filters // (half // layer.terms)))
    room = setup.buffer - setup.buffer // 8
    for pieces in range(1, _MOST_PIECES + 1):
        filters = min(room // -(-layer.positions // pieces), layer.filters)
        if filters:
            orders.append(passing(pieces) * -(-layer.filters // filters) + weights * pieces)
    return layer.groups * (min(orders) + results)
