"""Sliding window (line buffer) and padding in front of convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.units import cost, pipeline
from flowc.units.base import Array, Frame, OneToOne, Unit
from flowc.units.cost import Resources
from flowc.units.pixels import beats_of_row, filled
from flowc.units.schedule import Ring, Schedule, every, grid
from flowc.units.sound import number_faults

__all__ = ["Pad", "Window"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(OneToOne):
    """Surrounds the frame with ``value`` (an integer of the output type).

    (H, W, C) -> (top + H + bottom, left + W + right, C), ``simd`` channels per beat (divides C); or, with ``pixels`` above 1, so many
    whole pixels (they divide W, and simd is C). Rows then leave in whole beats: the last one is filled up, as the window behind knows.
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
    pixels: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (filled(self.out, self.pixels),)

    @property
    def lanes(self) -> int:
        return self.simd * self.pixels

    def schedule(self) -> Schedule:
        """Every iteration gives a beat, inside the frame the one that it takes.

        Several pixels of a beat lie in two beats that leave, where the left edge is no whole beat: the first of them takes it.
        """
        words, width = self.frame.c // self.simd, self.outputs[0].w // self.pixels * (self.frame.c // self.simd)
        start = self.top * width + self.left // self.pixels * words
        reads = grid((self.frame.h, width), (self.frame.w // self.pixels * words, 1), start=start)
        return Schedule(self.cycles, (reads,), (every(self.cycles),))

    @property
    def resources(self) -> Resources:
        """The counters, the choice of the filler, and pixels that wait for the next beat."""
        bits = self.lanes * self.frame.dtype.bits
        kept = Resources(ff=self.left % self.pixels * self.simd * self.out.dtype.bits)
        if self.structure == "pipeline":
            counters = pipeline.counters(self.frame.c // self.simd, self.outputs[0].w // self.pixels, self.out.h)
            # A filler is what registers are set or reset to. Of several pixels, those of two beats are chosen among.
            chosen = pipeline.PADDING + (bits if self.left % self.pixels else 0)
            parts = [counters, pipeline.end(self.lanes * self.out.dtype.bits, 2), Resources(lut=chosen)]
            return Resources.total([*parts, kept])
        return Resources(lut=cost.CONTROL + 20 + ceil(bits / 2), ff=bits + 40) + kept

    def unfolded(self, reader: Unit) -> Pad:  # noqa: ARG002
        return replace(self, pixels=1) if self.pixels > 1 else self

    def faults(self) -> list[str]:
        found = super().faults()
        if self.pixels > 1 and (self.simd != self.frame.c or self.frame.w % self.pixels):
            found.append(
                f"pixels = {self.pixels} asks for simd = {self.frame.c} and does not divide rows of {self.frame.w}"
            )
        return found

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
        out = np.full((x.shape[0], *self.outputs[0].shape), self.value, x.dtype)
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
    With ``pixels`` P above 1 a beat brings P whole pixels of a row and takes away the windows of the P / horizontal stride positions that
    a beat stands for (`given`): rows are whole beats, filled up at their end where W is not, as are rows of positions; ``parallel``, and
    block = C.
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
    pixels: int = 1

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (filled(self.frame, self.pixels),)

    @property
    def given(self) -> int:
        """Output positions per beat."""
        return max(1, self.pixels // self.stride[1])

    @property
    def row_beats(self) -> int:
        """Beats of ``pixels`` in an input row, per word of a pixel."""
        return beats_of_row(self.frame.w, self.pixels)

    @property
    def behind_beats(self) -> int:
        """Beats, before the one that completes them, that hold pixels of the same output positions' rows; for several pixels per beat."""
        last = (self.given - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1]
        return last // self.pixels

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
        return (self.simd * self.pixels,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.simd * (self.kernel[0] * self.kernel[1] if self.parallel else 1) * self.given,)

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
        ring = Ring(f.h, f.w, blocks, self.block // self.simd, self.kernel, self.stride, self.dilation, self.spare)
        return ring.snug()

    def schedule(self) -> Schedule:
        """A serial window takes and gives as its ring allows; the others give in the iteration that takes a window's last beat."""
        if self.ring is not None:
            return self.ring.schedule()
        words = self.frame.c // self.simd
        if self.pixels > 1:
            row, beats = self.row_beats, self.out_w // self.given
            first = (self.kernel[0] - 1) * self.dilation[0] * row + self.behind_beats
            writes = grid((self.out_h, self.stride[0] * row), (beats, 1), start=first)
            return Schedule(self.cycles, (every(self.cycles),), (writes,))
        row = self.frame.w * words
        first = (self.kernel[0] - 1) * self.dilation[0] * row + (self.kernel[1] - 1) * self.dilation[1] * words
        writes = grid((self.out_h, self.stride[0] * row), (self.out_w, self.stride[1] * words), (words, 1), start=first)
        return Schedule(self.cycles, (every(self.cycles),), (writes,))

    @property
    def line_memory(self) -> tuple[int, int, int]:
        """(memories, words, bits per word) of the line buffer: one ring, or with ``parallel`` a delay per kernel row but one."""
        bits = self.in_widths[0] * self.frame.dtype.bits
        if self.ring is not None:
            return (1, self.ring.size, bits)
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        if self.pixels > 1:
            return (kh - 1, dh * self.row_beats - self.behind_beats, bits)
        return (kh - 1, (dh * self.frame.w - (kw - 1) * dw) * self.frame.c // self.simd, bits)

    @property
    def resources(self) -> Resources:
        """The line buffer and its counters; with ``parallel`` also the delays between the taps of a row."""
        count, depth, bits = self.line_memory
        if self.structure == "pipeline" and (self.kernel != (1, 1) or self.pixels > 1):
            return self._pipeline(depth, bits)
        parts = [cost.memory(depth, bits, self.memory).times(count)]
        if self.ring is not None:
            parts.append(Resources(lut=cost.RING_CONTROL + 8 * depth.bit_length(), ff=bits + 150))
        else:
            cells = self.kernel[0] * (self.kernel[1] - 1)
            if self.pixels > 1:
                parts.append(Resources(ff=self.behind_beats * self.kernel[0] * bits))
            else:
                parts.append(cost.held(self.dilation[1] * self.frame.c // self.simd, cells * bits))
            parts.append(Resources(lut=cost.CONTROL, ff=bits + 40))
        return Resources.total(parts)

    def _pipeline(self, depth: int, bits: int) -> Resources:
        """As SystemVerilog has it: the ring with its counters, moves and sums, or chains of delays."""
        words, (h, w), (kh, kw) = self.frame.c // self.simd, (self.frame.h, self.frame.w), self.kernel
        if self.pixels > 1:
            row = pipeline.delay(depth, bits, self.memory).times(kh - 1)
            beats = Resources(ff=self.behind_beats * kh * bits)
            grid = pipeline.counters(self.row_beats, h, self.stride[0]) + Resources(lut=10)
            # Positions of a beat share pixels; tools find equal registers in front of the end's two places, but not these.
            given, distinct = self.out_widths[0] * self.frame.dtype.bits, self._pixels_read * bits // self.pixels
            waiting = Resources(ff=(self.stages - 1) * (distinct + 1))
            return Resources.total([row, beats, grid, waiting, pipeline.end(given)])
        if self.ring is None:
            pixel = pipeline.delay(self.dilation[1] * words, bits, self.memory).times(kh * (kw - 1))
            row = pipeline.delay((self.dilation[0] * w - (kw - 1) * self.dilation[1]) * words, bits, self.memory)
            grid = pipeline.counters(words, w, h, *self.stride) + Resources(lut=10)
            return Resources.total([pixel, row.times(kh - 1), grid, pipeline.end(kh * kw * bits, self.stages - 1)])
        block = self.block // self.simd
        loops = pipeline.counters(block, kw, kh, words // block, self.out_w, self.out_h, h * w * words, depth)
        return Resources.total([
            pipeline.ring_memory(depth, bits, self.memory), loops, pipeline.ring_end(depth, bits, self.memory),
            pipeline.moves(depth + self.stride[0] * w * words, depth, words if words == block else 1),
        ])  # fmt: skip

    @property
    def _pixels_read(self) -> int:
        """Different pixels under the windows of a beat's positions."""
        kw, step, apart = self.kernel[1], self.stride[1], self.dilation[1]
        return self.kernel[0] * len({q * step + x * apart for q in range(self.given) for x in range(kw)})

    @property
    def cycles(self) -> int:
        return self.inputs[0].elements // self.in_widths[0] if self.ring is None else self.ring.cycles

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
        if self.pixels > 1:
            if not self.parallel or self.block != self.frame.c:
                found.append("several pixels per cycle, but not all of each at once")
            if self.pixels % self.stride[1] or self.out_w % self.given:
                found.append(
                    f"pixels = {self.pixels} is no multiple of the stride = {self.stride[1]}, or gives rows of {self.out_w} positions in "
                    "no whole beats"
                )
        return found

    def unfolded(self, reader: Unit) -> Window:
        block = reader.window_block(self.frame.c)
        return replace(self, block=block, simd=block, parallel=False, pixels=1)
