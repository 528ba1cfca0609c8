"""Where frames enter and leave the accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from flowc.units import pipeline
from flowc.units.base import Array, Frame, OneToOne, divisors
from flowc.units.cost import CONTROL, Resources, dma_engine
from flowc.units.pixels import lane_counts
from flowc.units.sound import number_faults, permutation_faults

__all__ = ["InputPort", "OutputPort", "Port"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Port(OneToOne):
    """A boundary stream of ``simd`` elements per beat.

    ``tensor`` names the model's integer tensor. ``tensor_shape`` is its ONNX shape, with a batch of 1 in front, and
    ``order`` says where each stream element lies in it: stream element i is ``tensor.flat[order[i]]``; None: the same order.
    ``ways`` DMA engines, each at a memory port of its own where there are so many, move equal parts of every beat.
    """

    is_port: ClassVar[bool] = True
    tensor: str
    tensor_shape: tuple[int, ...]
    order: Array | None = None
    simd: int = 1
    ways: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def lanes(self) -> int:
        return self.simd

    @property
    def resources(self) -> Resources:
        """A register slice of two beats and the frame counter; of several DMA engines all but the first, and what joins them."""
        bits = self.simd * self.frame.dtype.bits
        if self.structure == "pipeline":
            own = pipeline.end(bits, 2) + pipeline.counters(self.cycles if self.kind == "output" else 1)
        else:
            own = Resources(lut=CONTROL + bits, ff=2 * bits + 20)
        return own if self.ways == 1 else own + dma_engine(-(-bits // self.ways)).times(self.ways - 1)

    def unsound(self) -> list[str]:
        found = number_faults(1, simd=self.simd, ways=self.ways)
        if any(n < 0 for n in self.tensor_shape) or prod(self.tensor_shape) != self.frame.elements:
            found.append(f"a tensor of {self.tensor_shape} on a frame of {self.frame.elements} elements")
        return found if self.order is None else found + permutation_faults("order", self.order, self.frame.elements)

    def folding(self) -> dict[str, list[int]]:
        return {"simd": [*divisors(self.frame.c), *lane_counts(self.frame)]}

    def faults(self) -> list[str]:
        return self.divides("simd", self.frame.elements, "the frame's elements")

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return xs


@dataclass(frozen=True, eq=False, kw_only=True)
class InputPort(Port):
    """Frames from the host (AXI4-Stream slave)."""

    kind: ClassVar[str] = "input"


@dataclass(frozen=True, eq=False, kw_only=True)
class OutputPort(Port):
    """Frames to the host (AXI4-Stream master, TLAST on the last beat of a frame)."""

    kind: ClassVar[str] = "output"
