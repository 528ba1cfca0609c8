"""Any elements of a frame in any order, some of them more than once, others not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flowc.units import cost
from flowc.units.base import Array
from flowc.units.cost import Resources
from flowc.units.permute import Permute
from flowc.units.schedule import Schedule, grid
from flowc.units.sound import array_faults

__all__ = ["Gather"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Gather(Permute):
    """``out.flat[i] = in.flat[order[i]]``, one element per cycle: resizing by any factor, and padding by what is inside.

    As in a `Permute`, the frame is taken in chunks, buffered twice; here a chunk of `taken` elements gives ``order.size``.
    ``order`` is int64 (given,), with values below ``taken``, which follows from the two frames.
    Cycles: (chunks + 1) * period, a period being as long as the greater of the two and the gap.
    """

    kind: ClassVar[str] = "gather"

    @property
    def taken(self) -> int:
        """Elements of the input that make a chunk."""
        return self.frame.elements * int(self.order.size) // self.out.elements

    @property
    def chunks(self) -> int:
        """Chunks of a frame."""
        return self.out.elements // int(self.order.size)

    @property
    def gap(self) -> int:
        """Idle cycles after each chunk, so that a word of the buffer is at rest for 8 cycles between its write and its read."""
        longest = max(self.taken, int(self.order.size))
        if longest <= 32:
            return 0
        return max(0, 8 - longest + int((self.order - np.arange(self.order.size)).max()))

    @property
    def period(self) -> int:
        """Iterations per chunk."""
        return max(self.taken, int(self.order.size)) + self.gap

    @property
    def cycles(self) -> int:
        return (self.chunks + 1) * self.period

    @property
    def chunk_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the two chunks that are buffered."""
        return (2 * self.taken, self.frame.dtype.bits)

    def schedule(self) -> Schedule:
        """Elements are taken at once, and given one chunk later."""
        reads = grid((self.chunks, self.period), (self.taken, 1))
        writes = grid((self.chunks, self.period), (int(self.order.size), 1), start=self.period)
        return Schedule(self.cycles, (reads,), (writes,))

    @property
    def resources(self) -> Resources:
        """Two chunks and the table of the order."""
        address = max(1, (self.taken - 1).bit_length())
        order = cost.memory(int(self.order.size), address, "auto", constant=True)
        return cost.memory(*self.chunk_memory, "auto") + order + Resources(lut=cost.CONTROL + 30, ff=40)

    def unsound(self) -> list[str]:
        found = array_faults("order", self.order, [None])
        if found:
            return found
        given = int(self.order.size)
        if self.out.elements % given or self.frame.elements * given % self.out.elements:
            return [f"{given} elements leave at a time, of {self.out.elements} for {self.frame.elements}"]
        if self.order.min() < 0 or self.order.max() >= self.taken:
            return [f"order goes beyond the {self.taken} elements of a chunk"]
        return []

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        chunks = x.reshape(x.shape[0], -1, self.taken)
        return (chunks[:, :, self.order].reshape(x.shape[0], *self.out.shape),)
