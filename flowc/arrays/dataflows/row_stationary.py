"""Row stationary: each cell slides a row of a kernel over a row of the input map; sums run up a column (Eyeriss).

A set of R x e cells makes e rows of outputs: cell (i, j) holds kernel row i and gets input row U*j + i, so kernel rows are shared
along a row, input rows along a diagonal, and sums add up along a column (ISCA 2016, section V). Sets are laid onto the array side
by side and above each other, a wide set cut into pieces; r sets take other channels and add to the same sums, t sets take
other filters. A cell interleaves p filters and q channels as far as its registers go. The parameters and the order of the
loops are those of the chip (JSSC 2017, section IV).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from flowc.arrays.counts import Counts, Sizes, blocks, wholes
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["Mapping", "candidates", "count", "count_mapping"]

_FEW = 6
"""Candidates below this number are tried one by one, larger ones in steps of half an octave."""
_AT_ONCE = 16
"""Arrays whose mappings are tried together: their candidates fit into the processor's cache."""


@dataclass(frozen=True)
class Mapping:
    """How a layer lies on arrays; all values are arrays of one shape.

    Attributes:
        e: output rows of a set.
        p, q: filters and channels that a cell interleaves.
        r, t: sets that take other channels, and sets that take other filters.
        height: kernel rows of a set: R, or less where R is folded into an array of fewer rows.
        width: kernel columns that a cell takes at once: S, or less where its input registers hold fewer.
    """

    e: Sizes
    p: Sizes
    q: Sizes
    r: Sizes
    t: Sizes
    height: Sizes
    width: Sizes

    @property
    def cells(self) -> Sizes:
        """Cells that work in a full pass."""
        return self.e * self.height * self.r * self.t


def count(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    """Counts of the mapping with the least product of energy and cycles; idle cells stand still, as the chip's do."""
    found = [_best(layer, H[i : i + _AT_ONCE], W[i : i + _AT_ONCE], setup) for i in range(0, len(H), _AT_ONCE)]
    return Counts(
        *(np.concatenate([getattr(part, field.name) for part in found]) for field in dataclasses.fields(Counts))
    )


def _best(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Counts:
    counts = count_mapping(layer, candidates(layer, H, W, setup), setup)
    merit = counts.energy(setup.costs, 0.0) * counts.cycles
    best = np.argmin(merit, axis=1)[:, None]

    def pick(values: Sizes) -> Sizes:
        return np.take_along_axis(np.broadcast_to(values, merit.shape), best, axis=1)[:, 0]

    return Counts(pick(counts.cycles), pick(counts.buffer), pick(counts.inter_pe), pick(counts.intra_pe))


def candidates(layer: Layer, H: Sizes, W: Sizes, setup: Setup) -> Mapping:
    """Mappings to choose from: shape (arrays, candidates), all of which fit.

    Sets as wide as the array, as some of its slots one after the other, and as fractions of it; for each of them the numbers of
    interleaved and of parallel channels in steps; filters take what is left.
    """
    height = np.ceil(layer.kernel_rows / blocks(layer.kernel_rows, H))[:, None]
    most = min(setup.input_words, setup.filter_words)
    width = float(-(-layer.kernel_columns // -(-layer.kernel_columns // most)))
    channels = layer.channels * blocks(layer.kernel_rows, height) * blocks(layer.kernel_columns, width)
    slots = wholes(H[:, None], height)
    e, q, r = _combinations(layer, W[:, None], slots, int(most // width), float(min(channels.max(), slots.max())))
    pieces = blocks(e, W[:, None])
    stacked = wholes(slots, pieces)  # sets above each other: only these can add to the same sums
    q = np.minimum(q, channels)
    r = np.minimum(np.minimum(r, stacked), blocks(channels, q))
    t = np.minimum(wholes(stacked, r) * np.maximum(wholes(W[:, None], e), 1), layer.filters)
    p = np.minimum(np.minimum(setup.sum_words, wholes(setup.filter_words, q * width)), blocks(layer.filters, t))
    p = blocks(layer.filters, t * blocks(layer.filters, t * p))  # as many passes with filters evenly spread
    return Mapping(e, p, q, r, t, height, np.full_like(e, width))


def _combinations(layer: Layer, W: Sizes, slots: Sizes, q_most: int, r_most: float) -> tuple[Sizes, Sizes, Sizes]:
    """Every pair of a set's width e with a q and an r, along the second axis."""
    wanted = [np.maximum(wholes(slots, part), 1) * W for part in (1, 2, 4)]
    wanted += [np.maximum(wholes(W, part), 1) for part in (1, 2, 3, 4, 6, 8, 12, 16, 32)]
    e = np.concatenate([blocks(layer.rows, blocks(layer.rows, target)) for target in wanted], axis=1)
    _, first = np.unique(e, axis=1, return_index=True)
    e = e[:, np.sort(first)]  # without repetitions, and in this order, so that no array's choice depends on the others
    inner = np.array([(q, r) for q in _steps(q_most) for r in _steps(r_most)], np.float64)
    count = len(inner)
    return np.repeat(e, count, axis=1), np.tile(inner[:, 0], e.shape[1])[None], np.tile(inner[:, 1], e.shape[1])[None]


def _steps(most: float) -> list[int]:
    """Whole numbers from 1 to ``most``: all up to `_FEW`, then in steps of half an octave, and the last."""
    found = [n for n in range(1, _FEW + 1) if n <= most]
    power = 8
    while power <= most:
        found += [n for n in (power, power + power // 2) if n <= most]
        power *= 2
    return sorted({*found, int(min(most, 2**20))})


def count_mapping(layer: Layer, m: Mapping, setup: Setup) -> Counts:
    """Counts of given mappings, by Eyeriss' equations 3 and 4.

    Per pass (an image, e rows, q*r channels, p*t filters): the input rows are read from the buffer once and delivered to every
    cell that slides over them; the kernel rows are read once and delivered to e cells each, and stay for as many strips of rows
    and images as sums fit into the buffer; every sum is read from the buffer, added up through the cells of its column, and
    written back. Within a cell each product reads a weight and an input, and reads and writes a sum, except the first of a row.
    """
    images, C, M = layer.planes, layer.channels, layer.filters
    row_folds = blocks(layer.kernel_rows, m.height)
    channels = (
        C * row_folds * blocks(layer.kernel_columns, m.width)
    )  # a folded kernel is as many channels more of a smaller one
    strips = blocks(layer.rows, m.e)
    channel_passes, channel_sets, channel_work = _shares(channels, m.q, m.r)
    filter_passes, filter_sets, filter_work = _shares(M, m.p, m.t)
    outputs = float(images) * M * layer.rows * layer.columns
    span = min((layer.columns - 1) * layer.stride_columns + layer.reach_columns, layer.columns * layer.kernel_columns)
    deep = (m.height - 1) * layer.dilation_rows + 1
    tall = np.minimum((layer.rows - strips) * layer.stride_rows + strips * deep, layer.rows * m.height)
    cycles = images * strips * channel_work * filter_work * m.width * layer.columns

    inputs = images * channels * filter_passes * tall * span
    delivered = images * channels * m.height * layer.rows * span * filter_sets
    kept = m.q * m.r * np.minimum((m.e - 1) * layer.stride_rows + deep, m.e * m.height) * span
    together = np.clip(wholes(setup.buffer, kept + m.p * m.t * m.e * layer.columns), 1, images)
    weights = float(layer.terms) * M * blocks(images, together)  # once per group of images, for each strip
    sums = outputs * (2 * channel_passes - 1)
    hops = outputs * (m.height * channel_sets - channel_passes)
    begun = outputs * wholes(layer.kernel_rows, row_folds) * channel_sets  # at least so many sums begin in a cell
    registers = 4 * outputs * layer.terms - 2 * begun
    return Counts(cycles, inputs + weights * strips + sums, delivered + weights * layer.rows + hops, registers).times(
        layer.groups
    )


def _shares(number: float | Sizes, inner: Sizes, outer: Sizes) -> tuple[Sizes, Sizes, Sizes]:
    """Items in passes of ``outer`` sets with ``inner`` each: passes, sets that work in all passes, and items that a set takes in turn."""
    full = wholes(number, inner * outer)
    rest = number - full * inner * outer
    return full + (rest > 0), full * outer + np.minimum(outer, rest), full * inner + blocks(rest, outer)
