"""Index of the greatest channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units.base import Array, Frame, OneToOne, divisors
from flowc.units.cost import CONTROL, Resources, comparator_luts
from flowc.units.schedule import Schedule, every

__all__ = ["ArgMax"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(OneToOne):
    """Channel index of the maximum at every position, the first of equals: (H, W, C) -> (H, W, 1). Cycles: elements / pe."""

    kind: ClassVar[str] = "argmax"
    pe: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (Frame(self.frame.h, self.frame.w, 1, IntType.for_range(0, self.frame.c - 1)),)

    @property
    def lanes(self) -> int:
        return self.pe

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (1,)

    @property
    def cycles(self) -> int:
        return self.frame.elements // self.pe

    @property
    def stages(self) -> int:
        """A level of the tree per cycle, the best so far, the result."""
        return 2 + max(1, (self.pe - 1).bit_length())

    def schedule(self) -> Schedule:
        """The index leaves with the last beat of a position."""
        folds = self.frame.c // self.pe
        return Schedule(self.cycles, (every(self.cycles),), (every(self.frame.pixels, folds, folds - 1),))

    @property
    def resources(self) -> Resources:
        """A tree of comparators and multiplexers over the lanes and the best so far."""
        bits, index = self.frame.dtype.bits, self.outputs[0].dtype.bits
        return Resources(
            lut=CONTROL + ceil(self.pe * (comparator_luts(bits) + bits + index)), ff=2 * (bits + index) + 20
        )

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(self.frame.c)}

    def faults(self) -> list[str]:
        return self.divides("pe", self.frame.c, "the channels")

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return (np.argmax(xs[0], axis=3)[..., None],)
