"""Sliding window (line buffer) and padding in front of convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.units import cost, pipeline
from flowc.units.base import Array, Frame, OneToOne, Unit
from flowc.units.cost import Resources
from flowc.units.schedule import Ring, Schedule, every, grid
from flowc.units.sound import number_faults

__all__ = ["Pad", "Window"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(OneToOne):
    """Surrounds the frame with ``value`` (an integer of the output type).

    (H, W, C) -> (top + H + bottom, left + W + right, C), ``simd`` channels per beat (divides C).
    """

    kind: ClassVar[str] = "pad"
    is_padding: ClassVar[bool] = True
    out: Frame
    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0
    value: int = 0
    simd: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.out,)

    @property
    def lanes(self) -> int:
        return self.simd

    def schedule(self) -> Schedule:
        """Every iteration gives a beat, inside the frame the one that it takes."""
        words, width = self.frame.c // self.simd, self.out.w * self.frame.c // self.simd
        start = self.top * width + self.left * words
        reads = grid((self.frame.h, width), (self.frame.w * words, 1), start=start)
        return Schedule(self.cycles, (reads,), (every(self.cycles),))

    @property
    def resources(self) -> Resources:
        bits = self.simd * self.frame.dtype.bits
        if self.structure == "pipeline":
            counters = pipeline.counters(self.frame.c // self.simd, self.out.w, self.out.h)
            return counters + pipeline.end(self.simd * self.out.dtype.bits, 2) + Resources(lut=12 + ceil(bits / 2))
        return Resources(lut=cost.CONTROL + 20 + ceil(bits / 2), ff=bits + 40)

    def unsound(self) -> list[str]:
        found = number_faults(0, top=self.top, left=self.left, bottom=self.bottom, right=self.right)
        whole = (self.frame.h + self.top + self.bottom, self.frame.w + self.left + self.right, self.frame.c)
        if self.out.shape != whole:
            found.append(f"the padded frame is {whole}, not {self.out.shape}")
        return (
            found if self.out.dtype.holds(self.value, self.value) else [*found, f"{self.value} is no {self.out.dtype}"]
        )

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        out = np.full((x.shape[0], *self.out.shape), self.value, x.dtype)
        out[:, self.top : self.top + self.frame.h, self.left : self.left + self.frame.w] = x
        return (out,)

    @property
    def moves(self) -> bool:
        return True

    def trace(self, *marks: Array) -> tuple[Array, ...]:
        """What surrounds the frame is a constant, which bears no mark."""
        return replace(self, value=0).emulate(*marks)


@dataclass(frozen=True, eq=False, kw_only=True)
class Window(Unit):
    """Sliding window: emits, for every output position, the pixels under the kernel.

    (H, W, C) -> (OH, OW, KH * KW * C). Within one output position the elements come in the order
    ``[C / block][KH][KW][block]``: block = C for a dense layer, C / groups for a grouped one, the lane count for depthwise
    layers and pools. One beat carries ``simd`` elements of a block (``simd`` divides ``block``), or, with
    ``parallel``, a block's whole window, KH * KW * block elements (then simd == block).
    A serial window whose ring holds ``spare`` rows more takes pixels also while it can give none: with one less than the stride, a window
    that gives no more words than it takes accepts a word in nearly every cycle.
    Buffers (KH - 1) * dilation rows and (KW - 1) * dilation + 1 pixels of the input, in ``memory``: auto, lutram, bram or uram.
    """

    kind: ClassVar[str] = "window"
    is_window: ClassVar[bool] = True
    frame: Frame
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    block: int
    simd: int = 1
    parallel: bool = False
    memory: str = "auto"
    spare: int = 0

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def out_h(self) -> int:
        """Output rows."""
        return (self.frame.h - (self.kernel[0] - 1) * self.dilation[0] - 1) // self.stride[0] + 1

    @property
    def out_w(self) -> int:
        """Output columns."""
        return (self.frame.w - (self.kernel[1] - 1) * self.dilation[1] - 1) // self.stride[1] + 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        taps = self.kernel[0] * self.kernel[1]
        return (Frame(self.out_h, self.out_w, taps * self.frame.c, self.frame.dtype),)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.simd,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.simd * (self.kernel[0] * self.kernel[1] if self.parallel else 1),)

    @property
    def buffer_pixels(self) -> int:
        """Pixels of C channels that the line buffer holds."""
        return (self.kernel[0] - 1) * self.dilation[0] * self.frame.w + (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def ring(self) -> Ring | None:
        """The ring buffer of a serial window; None with ``parallel``, and for a kernel of one tap (which only drops pixels)."""
        if self.parallel or self.kernel == (1, 1):
            return None
        f, blocks = self.frame, self.frame.c // self.block
        return Ring(f.h, f.w, blocks, self.block // self.simd, self.kernel, self.stride, self.dilation, self.spare)

    def schedule(self) -> Schedule:
        """A serial window takes and gives as its ring allows; the others give in the iteration that takes a window's last beat."""
        if self.ring is not None:
            return self.ring.schedule()
        words = self.frame.c // self.simd
        row = self.frame.w * words
        first = (self.kernel[0] - 1) * self.dilation[0] * row + (self.kernel[1] - 1) * self.dilation[1] * words
        writes = grid((self.out_h, self.stride[0] * row), (self.out_w, self.stride[1] * words), (words, 1), start=first)
        return Schedule(self.cycles, (every(self.cycles),), (writes,))

    @property
    def line_memory(self) -> tuple[int, int, int]:
        """(memories, words, bits per word) of the line buffer: one ring, or with ``parallel`` a delay per kernel row but one."""
        bits = self.simd * self.frame.dtype.bits
        if self.ring is not None:
            return (1, self.ring.size, bits)
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1, (dh * self.frame.w - (kw - 1) * dw) * self.frame.c // self.simd, bits)

    @property
    def resources(self) -> Resources:
        """The line buffer and its counters; with ``parallel`` also the delays between the taps of a row."""
        count, depth, bits = self.line_memory
        if self.structure == "pipeline" and self.kernel != (1, 1):
            return self._pipeline(depth, bits)
        parts = [cost.memory(depth, bits, self.memory).times(count)]
        if self.ring is not None:
            parts.append(Resources(lut=cost.RING_CONTROL + 8 * depth.bit_length(), ff=bits + 150))
        else:
            cells = self.kernel[0] * (self.kernel[1] - 1)
            parts.append(cost.held(self.dilation[1] * self.frame.c // self.simd, cells * bits))
            parts.append(Resources(lut=cost.CONTROL, ff=bits + 40))
        return Resources.total(parts)

    def _pipeline(self, depth: int, bits: int) -> Resources:
        """As SystemVerilog has it: the ring with its counters, moves and sums, or chains of delays."""
        words, (h, w), (kh, kw) = self.frame.c // self.simd, (self.frame.h, self.frame.w), self.kernel
        if self.ring is None:
            pixel = pipeline.delay(self.dilation[1] * words, bits, self.memory).times(kh * (kw - 1))
            row = pipeline.delay((self.dilation[0] * w - (kw - 1) * self.dilation[1]) * words, bits, self.memory)
            grid = pipeline.counters(words, w, h) + Resources(lut=10)
            return Resources.total([pixel, row.times(kh - 1), grid, pipeline.end(kh * kw * bits)])
        block = self.block // self.simd
        loops = pipeline.counters(block, kw, kh, words // block, self.out_w, self.out_h, h * w * words, depth)
        return Resources.total([
            pipeline.ring_memory(depth, bits, self.memory), loops, pipeline.end(bits), pipeline.moves(h * w * words, depth),
        ])  # fmt: skip

    @property
    def cycles(self) -> int:
        return self.frame.elements // self.simd if self.ring is None else self.ring.cycles

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        n, _, _, c = x.shape
        x = np.ascontiguousarray(x)
        sn, sh, sw, sc = x.strides
        (kh, kw), (dh, dw), (th, tw), b = self.kernel, self.dilation, self.stride, self.block
        view = np.lib.stride_tricks.as_strided(
            x,
            (n, self.out_h, self.out_w, c // b, kh, kw, b),
            (sn, sh * th, sw * tw, sc * b, sh * dh, sw * dw, sc),
            writeable=False,
        )
        return (view.reshape(n, self.out_h, self.out_w, kh * kw * c),)

    @property
    def moves(self) -> bool:
        return True

    def unsound(self) -> list[str]:
        found = [f"{name} {value} below 1" for name, value in self._geometry().items() if min(value) < 1]
        if not found and min(self.out_h, self.out_w) < 1:
            found.append(f"a kernel of {self.kernel} is larger than {self.frame.h} x {self.frame.w}")
        found += number_faults(1, block=self.block, simd=self.simd)
        if self.memory not in cost.LINE_MEMORIES:
            found.append(f"there is no memory '{self.memory}'")
        return found

    def _geometry(self) -> dict[str, tuple[int, int]]:
        return {"kernel": self.kernel, "stride": self.stride, "dilation": self.dilation}

    def faults(self) -> list[str]:
        found = self.divides("block", self.frame.c, "the channels") + self.divides("simd", self.block, "the block")
        if self.parallel and self.simd != self.block:
            found.append(f"a parallel window has simd = block, not {self.simd} and {self.block}")
        return found

    def unfolded(self, reader: Unit) -> Window:
        block = reader.window_block(self.frame.c)
        return replace(self, block=block, simd=block, parallel=False)
