"""Permutation: a frame's elements in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flowc.units import cost
from flowc.units.base import Array, Frame, Unit
from flowc.units.cost import Resources
from flowc.units.schedule import Schedule, grid
from flowc.units.sound import permutation_faults

__all__ = ["Permute"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Permute(Unit):
    """A fixed reordering of the frame's elements: ``out.flat[i] = in.flat[order[i]]``, one element per cycle.

    Reordering happens within chunks of ``chunk`` consecutive elements (buffered twice, so that one is written while the
    other is read): ``order`` is int64 (chunk,) and applies to each of the frame's elements / chunk chunks.
    A transposition takes the whole frame as its chunk; depth-to-space takes one row of pixels.
    Cycles: (chunks + 1) * (chunk + gap).
    """

    kind: ClassVar[str] = "permute"
    frame: Frame
    out: Frame
    order: Array

    @property
    def moves(self) -> bool:
        return True

    @property
    def stages(self) -> int:
        """The order's memory, the chunks', a register behind each, result."""
        return 5

    @property
    def gap(self) -> int:
        """Idle cycles after each chunk, so that a word of the buffer is at rest for 8 cycles between its write and its read.

        Chunks of up to 32 elements lie in registers and need none, and neither do transpositions.
        """
        chunk = int(self.order.size)
        if chunk <= 32:
            return 0
        return max(0, 8 - chunk + int(np.abs(self.order - np.arange(chunk)).max()))

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.out,)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (1,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (1,)

    @property
    def cycles(self) -> int:
        chunk = int(self.order.size)
        return (self.frame.elements // chunk + 1) * (chunk + self.gap)

    @property
    def chunk_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the two chunks that are buffered."""
        return (2 * int(self.order.size), self.frame.dtype.bits)

    def schedule(self) -> Schedule:
        """Elements are taken at once, and given one chunk later."""
        chunk = int(self.order.size)
        beats = grid((self.frame.elements // chunk, chunk + self.gap), (chunk, 1))
        return Schedule(self.cycles, (beats,), (beats + chunk + self.gap,))

    @property
    def resources(self) -> Resources:
        """Two chunks and the table of the order."""
        address = max(1, (int(self.order.size) - 1).bit_length())
        order = cost.memory(int(self.order.size), address, "auto", constant=True)
        return cost.memory(*self.chunk_memory, "auto") + order + Resources(lut=cost.CONTROL + 30, ff=40)

    def folding(self) -> dict[str, list[int]]:
        return {}

    def faults(self) -> list[str]:
        return []

    def unsound(self) -> list[str]:
        found = permutation_faults("order", self.order, None)
        if not found and (self.frame.elements % self.order.size or self.frame.elements != self.out.elements):
            found.append(f"{self.order.size} of {self.frame.elements} elements are ordered, {self.out.elements} leave")
        return found

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        chunks = x.reshape(x.shape[0], -1, self.order.size)
        return (chunks[:, :, self.order].reshape(x.shape[0], *self.out.shape),)
