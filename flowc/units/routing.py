"""Units that move elements without changing them: fork, concat, split, upsample, pixel padding, width conversion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, gcd, lcm
from typing import ClassVar

import numpy as np

from flowc.units import cost, pipeline
from flowc.units.base import Array, Frame, OneToOne, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.pixels import lane_counts, lane_faults
from flowc.units.schedule import Schedule, every, grid, proportional
from flowc.units.sound import MOST_PORTS, number_faults

__all__ = ["Concat", "Fork", "PixelPad", "Split", "Upsample", "WidthConverter"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Moving(OneToOne):
    """What units share that only move elements, ``simd`` per beat."""

    simd: int = 1

    @property
    def moves(self) -> bool:
        return True

    @property
    def lanes(self) -> int:
        return self.simd

    @property
    def resources(self) -> Resources:
        bits = self.simd * self.frame.dtype.bits
        if self.structure == "pipeline":
            return pipeline.end(bits, 2).times(len(self.outputs)) + Resources(lut=8)
        return Resources(lut=cost.CONTROL, ff=bits + 20)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fork(_Moving):
    """Copies a stream to ``ways`` outputs; a beat holds channels of a pixel, or whole pixels."""

    kind: ClassVar[str] = "fork"
    ways: int

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.frame,) * self.ways

    def unsound(self) -> list[str]:
        most = [f"{self.ways} copies"] if self.ways > MOST_PORTS else []
        return number_faults(1, ways=self.ways) + most

    def folding(self) -> dict[str, list[int]]:
        return {"simd": [*divisors(self.frame.c), *lane_counts(self.frame)]}

    def faults(self) -> list[str]:
        return lane_faults("simd", self.simd, self.frame)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return (xs[0],) * self.ways


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Unit):
    """Joins streams of one height and width along the channels; ``simd`` divides every input's channels.

    Inputs may be of different types; the output's holds every value of them.

    Cycles: output elements / simd.
    """

    kind: ClassVar[str] = "concat"
    frames: tuple[Frame, ...]
    out: Frame
    simd: int = 1

    @property
    def moves(self) -> bool:
        return True

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return self.frames

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.out,)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.simd,) * len(self.frames)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.simd,)

    @property
    def cycles(self) -> int:
        return self.out.elements // self.simd

    def schedule(self) -> Schedule:
        """Within a position, the inputs are taken one after the other."""
        start, reads, words = 0, [], self.out.c // self.simd
        for frame in self.frames:
            reads.append(grid((self.out.pixels, words), (frame.c // self.simd, 1), start=start))
            start += frame.c // self.simd
        return Schedule(self.cycles, tuple(reads), (every(self.cycles),))

    @property
    def resources(self) -> Resources:
        """A multiplexer of the inputs."""
        bits = self.simd * self.out.dtype.bits
        return Resources(lut=cost.CONTROL + ceil(bits * len(self.frames) / 2), ff=bits + 20)

    def folding(self) -> dict[str, list[int]]:
        return {"simd": divisors(gcd(*(f.c for f in self.frames)))}

    def faults(self) -> list[str]:
        return [f for frame in self.frames for f in self.divides("simd", frame.c, "an input's channels")]

    def unsound(self) -> list[str]:
        if not self.frames or any(f.shape[:2] != self.out.shape[:2] for f in self.frames):
            return ["frames of different sizes, or none"]
        total = sum(f.c for f in self.frames)
        return [] if total == self.out.c else [f"{total} channels come in, {self.out.c} go out"]

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return (np.concatenate(xs, axis=3),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Split(_Moving):
    """Channel slices: output i carries channels ``[starts[i], starts[i] + sizes[i])``; slices may not overlap, the rest is dropped.

    ``simd`` divides every start, every size and C. Cycles: input elements / simd.
    """

    kind: ClassVar[str] = "split"
    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return tuple(Frame(self.frame.h, self.frame.w, size, self.frame.dtype) for size in self.sizes)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.simd,) * len(self.sizes)

    @property
    def cycles(self) -> int:
        return self.frame.elements // self.simd

    def schedule(self) -> Schedule:
        """Every iteration takes a beat and gives it to the slice that it lies in."""
        words = self.frame.c // self.simd
        writes = tuple(
            grid((self.frame.pixels, words), (size // self.simd, 1), start=a // self.simd)
            for a, size in zip(self.starts, self.sizes, strict=True)
        )
        return Schedule(self.cycles, (every(self.cycles),), writes)

    def folding(self) -> dict[str, list[int]]:
        return {"simd": divisors(gcd(self.frame.c, *self.starts, *self.sizes))}

    def faults(self) -> list[str]:
        parts = [*self.starts, *self.sizes, self.frame.c]
        return [f for part in parts for f in self.divides("simd", part, "a start, size or channel count")]

    def unsound(self) -> list[str]:
        if len(self.starts) != len(self.sizes) or not self.sizes:
            return [f"{len(self.starts)} starts and {len(self.sizes)} sizes"]
        inside = all(a >= 0 and n >= 1 and a + n <= self.frame.c for a, n in zip(self.starts, self.sizes, strict=True))
        return [] if inside else [f"slices beyond {self.frame.c} channels"]

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return tuple(xs[0][..., a : a + n] for a, n in zip(self.starts, self.sizes, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class Upsample(_Moving):
    """Nearest-neighbour upsampling: every pixel ``factor_w`` times, every row ``factor_h`` times (one row buffered)."""

    kind: ClassVar[str] = "upsample"
    factor_h: int
    factor_w: int

    @property
    def outputs(self) -> tuple[Frame, ...]:
        f = self.frame
        return (Frame(f.h * self.factor_h, f.w * self.factor_w, f.c, f.dtype),)

    @property
    def row_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the row that is repeated."""
        return (self.frame.w * self.frame.c // self.simd, self.simd * self.frame.dtype.bits)

    def schedule(self) -> Schedule:
        """Every iteration gives a beat; those of the first of a pixel's rows and columns take one."""
        words, f = self.frame.c // self.simd, self.frame
        row = f.w * self.factor_w * words
        reads = grid((f.h, row * self.factor_h), (f.w, words * self.factor_w), (words, 1))
        return Schedule(self.cycles, (reads,), (every(self.cycles),))

    @property
    def resources(self) -> Resources:
        """The row buffer and its counters."""
        return cost.memory(*self.row_memory, "auto") + Resources(lut=cost.CONTROL + 30, ff=40)

    def unsound(self) -> list[str]:
        return number_faults(1, factor_h=self.factor_h, factor_w=self.factor_w)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return (xs[0].repeat(self.factor_h, axis=1).repeat(self.factor_w, axis=2),)


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelPad(_Moving):
    """Zero insertion of a transposed convolution: pixel (y, x) goes to (y * stride_h, x * stride_w), ``value`` between.

    (H, W, C) -> ((H - 1) * stride_h + 1, (W - 1) * stride_w + 1, C).
    """

    kind: ClassVar[str] = "pixel_pad"
    is_padding: ClassVar[bool] = True
    out: Frame
    stride_h: int
    stride_w: int
    value: int = 0

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.out,)

    def schedule(self) -> Schedule:
        """Every iteration gives a beat; those at pixels of the input take one."""
        words = self.frame.c // self.simd
        reads = grid(
            (self.frame.h, self.stride_h * self.out.w * words), (self.frame.w, self.stride_w * words), (words, 1)
        )
        return Schedule(self.cycles, (reads,), (every(self.cycles),))

    def unsound(self) -> list[str]:
        found = number_faults(1, stride_h=self.stride_h, stride_w=self.stride_w)
        whole = ((self.frame.h - 1) * self.stride_h + 1, (self.frame.w - 1) * self.stride_w + 1, self.frame.c)
        if self.out.shape != whole:
            found.append(f"the padded frame is {whole}, not {self.out.shape}")
        return (
            found if self.out.dtype.holds(self.value, self.value) else [*found, f"{self.value} is no {self.out.dtype}"]
        )

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        out = np.full((x.shape[0], *self.out.shape), self.value, x.dtype)
        out[:, :: self.stride_h, :: self.stride_w] = x
        return (out,)

    def trace(self, *marks: Array) -> tuple[Array, ...]:
        """What stands between the pixels is a constant, which bears no mark."""
        return replace(self, value=0).emulate(*marks)


@dataclass(frozen=True, eq=False, kw_only=True)
class WidthConverter(Unit):
    """Changes the number of elements per beat from ``wide_in`` to ``wide_out``; any ratio.

    Both divide the frame's elements. Cycles: max(beats in, beats out) where one width divides the other; for other ratios
    the unit goes through beats of ``lcm`` elements' worth of storage and takes the same number of cycles.
    """

    kind: ClassVar[str] = "width_converter"
    is_width_converter: ClassVar[bool] = True
    frame: Frame
    wide_in: int
    wide_out: int

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.wide_in,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.wide_out,)

    @property
    def storage(self) -> int:
        """Elements held by the converter."""
        return lcm(self.wide_in, self.wide_out)

    @property
    def cycles(self) -> int:
        return self.frame.elements // min(self.wide_in, self.wide_out)

    def schedule(self) -> Schedule:
        """The narrower side moves every iteration, the wider one as soon as enough, or no longer enough, is held."""
        count_in, count_out = self.frame.elements // self.wide_in, self.frame.elements // self.wide_out
        beats_in, beats_out = every(count_in), every(count_out)
        if self.wide_in < self.wide_out:
            beats_out = proportional(count_out, self.wide_out, self.wide_in, self.wide_out - 1)
        else:
            beats_in = proportional(count_in, self.wide_in, self.wide_out)
        return Schedule(self.cycles, (beats_in,), (beats_out,))

    @property
    def resources(self) -> Resources:
        converter = pipeline.converter if self.structure == "pipeline" else cost.converter
        return converter(self.frame.dtype.bits, self.wide_in, self.wide_out)

    @property
    def moves(self) -> bool:
        return True

    def folding(self) -> dict[str, list[int]]:
        return {}

    def faults(self) -> list[str]:
        found = self.divides("wide_in", self.frame.elements, "the frame's elements")
        return found + self.divides("wide_out", self.frame.elements, "the frame's elements")

    def unsound(self) -> list[str]:
        return number_faults(1, wide_in=self.wide_in, wide_out=self.wide_out)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        return xs
