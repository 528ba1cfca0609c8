"""What a dataflow counts: cycles and words moved, for many arrays at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Counts", "Sizes", "blocks", "wholes"]

Sizes = npt.NDArray[np.float64]
"""One value per array; whole numbers, carried as float64 because products of them may leave int64."""


@dataclass(frozen=True)
class Counts:
    """Counts of one layer, or of several together, on a row of arrays.

    Attributes:
        cycles: shape (arrays,).
        buffer: words read from and written to the unified buffer.
        inter_pe: words handed from a cell to its neighbour, delivered to a cell by a bus, or added into an accumulator.
        intra_pe: words read from and written to registers within cells.
    """

    cycles: Sizes
    buffer: Sizes
    inter_pe: Sizes
    intra_pe: Sizes

    def times(self, number: int) -> Counts:
        """The counts of so many layers alike."""
        return Counts(self.cycles * number, self.buffer * number, self.inter_pe * number, self.intra_pe * number)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.cycles + other.cycles,
            self.buffer + other.buffer,
            self.inter_pe + other.inter_pe,
            self.intra_pe + other.intra_pe,
        )

    def energy(self, costs: Mapping[str, float], dram: float) -> Sizes:
        """The words moved, each times its cost; ``dram`` words come and go outside."""
        return (
            costs["buffer"] * self.buffer
            + costs["neighbour"] * self.inter_pe
            + costs["register"] * self.intra_pe
            + costs["dram"] * dram
        )


def blocks(size: float | Sizes, part: float | Sizes) -> Sizes:
    """How many parts cover a size: the quotient, rounded up. Exact for whole numbers below 2^52."""
    return np.asarray(np.ceil(np.true_divide(size, part)))


def wholes(size: float | Sizes, part: float | Sizes) -> Sizes:
    """How many whole parts are in a size: the quotient, rounded down. Exact for whole numbers below 2^52."""
    return np.asarray(np.floor(np.true_divide(size, part)))
