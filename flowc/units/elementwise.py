"""Elementwise units: standalone activation, and the joining of two streams."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation
from flowc.units.applied import applied
from flowc.units.base import Array, Frame, OneToOne, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.joined import Operand, joined
from flowc.units.pixels import lane_counts, lane_faults
from flowc.units.schedule import Schedule, every
from flowc.units.sound import array_faults

__all__ = ["Activate", "Join"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Activate(OneToOne):
    """A standalone activation: (H, W, C) -> (H, W, C), ``pe`` elements per beat: channels of a pixel, or whole pixels.

    The activation's parameter set of the element at channel c is c, or 0 where the activation has one set.
    """

    kind: ClassVar[str] = "activate"
    activation: Activation
    pe: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (Frame(self.frame.h, self.frame.w, self.frame.c, self.activation.dtype),)

    @property
    def lanes(self) -> int:
        return self.pe

    @property
    def stages(self) -> int:
        return 1 + self.activation.stages(self.pe, max(self.pe, self.frame.c), self.frame.dtype)

    @property
    def resources(self) -> Resources:
        given = self.pe, max(self.pe, self.frame.c), self.frame.dtype
        if self.structure == "pipeline":
            own = applied(self.activation, *given)
            end = pipeline.end(self.pe * self.activation.dtype.bits)
            return own + end + Resources(lut=pipeline.PASSING)
        return self.activation.resources(*given) + Resources(lut=cost.CONTROL, ff=self.pe * self.frame.dtype.bits + 20)

    def folding(self) -> dict[str, list[int]]:
        return {"pe": [*divisors(self.frame.c), *lane_counts(self.frame)]}

    def unsound(self) -> list[str]:
        return self.activation.unsound(self.frame.c)

    def faults(self) -> list[str]:
        return lane_faults("pe", self.pe, self.frame)

    def accumulate(self, *xs: Array) -> Array:
        """What the activation is applied to: the input."""
        return xs[0]

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return (self.activation.apply(xs[0]),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Join(Unit):
    """Two streams into one, elementwise, then the activation.

    op "add": ``acc = left_scale[c] * a + right_scale[c] * b``;
    op "mul": ``acc = (a - left_offset) * (b - right_offset)`` (scales are 1).

    Attributes:
        left, right: frames of one shape.
        pe: elements per beat: channels of a pixel, or whole pixels.
        left_scale, right_scale: int64 (C,) or (1,).
    """

    kind: ClassVar[str] = "join"
    left: Frame
    right: Frame
    op: str
    acc: IntType
    left_scale: Array
    right_scale: Array
    left_offset: int = 0
    right_offset: int = 0
    activation: Activation | None = None
    pe: int = 1

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.left, self.right)

    @property
    def outputs(self) -> tuple[Frame, ...]:
        dtype = self.activation.dtype if self.activation is not None else self.acc
        return (Frame(self.left.h, self.left.w, self.left.c, dtype),)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.pe, self.pe)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.pe,)

    @property
    def cycles(self) -> int:
        return self.left.elements // self.pe

    @property
    def scaled_alike(self) -> bool:
        """Whether either operand has one scale, a constant, for all channels."""
        return self.left_scale.size == self.right_scale.size == 1

    @property
    def stages(self) -> int:
        """The rescaled operands, their sum or product, then the activation."""
        return 3 + (
            0 if self.activation is None else self.activation.stages(self.pe, max(self.pe, self.left.c), self.acc)
        )

    def schedule(self) -> Schedule:
        beats = every(self.cycles)
        return Schedule(self.cycles, (beats, beats), (beats,))

    @property
    def resources(self) -> Resources:
        """The rescaling by constants and the adder, or the multiplier, then the activation."""
        if self.structure == "pipeline":
            return self._pipeline
        left, right = self.left.dtype.bits, self.right.dtype.bits
        luts = 0.0
        widths = []
        if self.op == "add":
            luts += self.acc.bits
            for bits, scale in ((left, self.left_scale), (right, self.right_scale)):
                factor = int(np.abs(scale).max()).bit_length() + (1 if scale.min() < 0 else 0)
                if (np.abs(scale) & (np.abs(scale) - 1)).any() or scale.size > 1:
                    luts += cost.multiplier_luts(bits, factor)
                widths.append(factor if scale.size > 1 else 0)
        else:
            luts += cost.multiplier_luts(left, right)
            luts += (left if self.left_offset else 0) + (right if self.right_offset else 0)
        total = Resources(lut=cost.CONTROL + ceil(self.pe * luts), ff=self.pe * (left + right + self.acc.bits) + 20)
        channels = max(self.pe, self.left.c)
        total += cost.parameters(self.left.c if any(widths) else 1, self.pe, channels, widths)
        if self.activation is not None:
            total += self.activation.resources(self.pe, channels, self.acc)
        return total

    @property
    def _pipeline(self) -> Resources:
        """As SystemVerilog makes it: constants are sums of shifted operands; products go to slices where the requantizer is one."""
        channels, results = max(self.pe, self.left.c), self.pe * self.outputs[0].dtype.bits
        own = applied(self.activation, self.pe, channels, self.acc)
        left, right = (
            Operand(frame.dtype, scale, offset)
            for frame, scale, offset in (
                (self.left, self.left_scale, self.left_offset),
                (self.right, self.right_scale, self.right_offset),
            )
        )
        rows = 0 if self.scaled_alike else channels // self.pe
        sums = joined(self.op, left, right, self.acc, rows=rows, lanes=self.pe, slices=bool(own.dsp))
        return sums + own + pipeline.end(results) + Resources(lut=pipeline.PASSING, ff=2)

    def folding(self) -> dict[str, list[int]]:
        return {"pe": [*divisors(self.left.c), *lane_counts(self.left)]}

    def unsound(self) -> list[str]:
        found = [] if self.op in ("add", "mul") else [f"there is no join '{self.op}'"]
        if self.left.shape != self.right.shape:
            found.append(f"frames of {self.left.shape} and {self.right.shape} elements")
        for name, scale in (("left_scale", self.left_scale), ("right_scale", self.right_scale)):
            found += array_faults(name, scale, [(1, self.left.c)])
        return found or ([] if self.activation is None else self.activation.unsound(self.left.c))

    def faults(self) -> list[str]:
        return lane_faults("pe", self.pe, self.left)

    def accumulate(self, *xs: Array) -> Array:
        """The sums or products (N, H, W, C), before the activation."""
        a, b = (x.astype(np.int64) for x in xs)
        if self.op == "add":
            total: Array = a * self.left_scale + b * self.right_scale
            return total
        product: Array = (a - self.left_offset) * (b - self.right_offset)
        return product

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        acc = self.accumulate(*xs)
        return (acc if self.activation is None else self.activation.apply(acc),)
