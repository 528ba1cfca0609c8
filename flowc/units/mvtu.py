"""Matrix-vector-threshold unit (MVTU, the field's MVAU): dense and grouped integer matrix products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Any, ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation
from flowc.units.applied import applied
from flowc.units.base import RESTART, Array, Frame, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.heap import heap_depth
from flowc.units.packing import Packing, overlapping, packing, weights_held
from flowc.units.schedule import Schedule, every, grid
from flowc.units.sound import array_faults, number_faults, sign_faults
from flowc.units.weighted import Multiplying, several_faults, style_faults, unknown_styles, uses_dsp, weight_figures

__all__ = ["Mvtu", "exact_float"]


def exact_float(bound: int) -> type[np.floating]:
    """The fastest float dtype in which every integer of magnitude up to ``bound`` is exact."""
    return np.float32 if bound < 1 << 24 else np.float64


@dataclass(frozen=True, eq=False, kw_only=True)
class Mvtu(Multiplying):
    """``acc[o] = sum over i of weights[o, i] * x[g(o), i]`` at every position, then the activation.

    Input frame (H, W, groups * mw), in the stream order of a window with the same ``block``; output (H, W, mh).
    Group g holds input slice ``[g * mw, (g + 1) * mw)`` and output rows ``[g * mh / groups, (g + 1) * mh / groups)``.

    Attributes:
        weights: (mh, mw), as of `flowc.model.dtypes.compact`, columns in canonical order ``[KH * KW][channels of the group]``.
        taps: KH * KW (1 for linear layers).
        block: channel block of the stream order ``[cg / block][taps][block]`` within a group, cg = mw / taps.
        acc: type of the accumulator; every partial sum fits.
        activation: applied to the accumulator, or None: accumulators leave the unit.
        signs: int64 (mh,): -1 where weights and activation are those of the negated product (`flowc.exact.rising`), or None.
        pe: output rows computed in parallel; divides mh / groups.
        simd: inputs consumed per cycle; divides mw.
        pixels: positions computed per cycle, each by lanes of its own that share the weights; more than one only where ``pe`` and
            ``simd`` are all of mh and mw, and positions alone bound the rate.
        memory: where weights are kept: auto, lutram, bram; or, from the external memory, in uram (once) or nowhere (stream,
            see `weights_arrive`).
        multiplier: one of auto, lut, dsp, packed (a DSP slice for several rows of ``pe``, and chains of slices, see `packing`), or, in
            SystemVerilog only, overlapped (fewer slices for more tables, see `overlapping`).
        dsp_port: bits of a DSP slice's wide operand, which decide how much is packed: 25 on 7 series, 27 on UltraScale; 0 on Lattice parts.
    Cycles (FINN-R, ACM TRETS 2018): positions / pixels * groups * (mh / groups / pe) * (mw / simd).
    """

    kind: ClassVar[str] = "mvtu"
    takes_window: ClassVar[bool] = True
    by_shape: ClassVar[frozenset[str]] = frozenset({"weights", "signs"})
    frame: Frame
    weights: Array
    weight_type: IntType
    acc: IntType
    activation: Activation | None = None
    signs: Array | None = None
    groups: int = 1
    taps: int = 1
    block: int
    pe: int = 1
    simd: int = 1
    memory: str = "auto"
    multiplier: str = "auto"
    dsp_port: int = 25
    pixels: int = 1

    @property
    def packing(self) -> Packing | None:
        """How DSP slices share activations; None unless the multiplier is of `cost.SHARED` and at least two weights fit a slice.

        Where overlapping takes no fewer slices, ``overlapped`` is ``packed``.
        """
        if self.multiplier not in cost.SHARED:
            return None
        given = (self.weight_type, self.frame.dtype, self.pe, self.dsp_port)
        return (overlapping(*given) if self.multiplier == "overlapped" else None) or packing(*given)

    @property
    def mh(self) -> int:
        """Output channels."""
        return int(self.weights.shape[0])

    @property
    def mw(self) -> int:
        """Inputs per output."""
        return int(self.weights.shape[1])

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def out_type(self) -> IntType:
        """Type of the results: the activation's, or the accumulator's."""
        return self.activation.dtype if self.activation is not None else self.acc

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (Frame(self.frame.h, self.frame.w, self.mh, self.out_type),)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.simd * self.pixels,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.pe * self.pixels,)

    @property
    def cycles(self) -> int:
        return self.frame.pixels // self.pixels * (self.mh // self.pe) * (self.mw // self.simd)

    @property
    def stages(self) -> int:
        """Memory, product (or a chain of slices, with a register behind each product and each sum), adder tree, accumulator, activation."""
        return self.stages_of(self.simd)

    def stages_of(self, simd: int) -> int:
        """The same for another ``simd``."""
        products = 1 if self.packing is None else self.packing.length(simd) + 1
        stages = (
            0
            if self.activation is None
            else self.activation.stages(
                self.pe * self.pixels, self.mh * self.pixels, self.acc, self.activation_spacing(simd)
            )
        )
        return 4 + products + self.tree(simd) + stages

    def activation_spacing(self, simd: int) -> int:
        """Cycles from a beat of accumulators to the next, at least, as the activation may know: a loop begins it in every one."""
        return self.mw // simd if self.structure == "pipeline" else 1

    def tree(self, simd: int) -> int:
        """Registers among the adders of ``simd`` products.

        Behind every other level, or, on Lattice parts (`dsp_port` 0), whose tables have four inputs, behind each; of a heap, which
        has more of them where products are wide, at least behind every other one.
        """
        chain = min(self.packing.chain, simd) if self.packing is not None else 1
        if self.dsp_port:
            return ceil(simd / chain).bit_length() // 2
        if uses_dsp(self):
            return (simd - 1).bit_length()
        width = self.acc.bits if self.acc.signed else self.acc.bits + 1
        return max(simd.bit_length(), ceil(heap_depth(simd, self.weight_type, self.frame.dtype, width) / 2))

    @property
    def weight_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the weight memory: one word holds the ``pe * simd`` weights of a cycle."""
        return (self.mh // self.pe * (self.mw // self.simd), self.pe * self.simd * self.weight_type.bits)

    @property
    def weight_rows(self) -> Array:
        """Weights as the unit reads them, (words, pe * simd): [group][row fold][column fold], each [pe][simd]."""
        folds = self.mw // self.simd
        blocks = self.stream_weights.reshape(self.mh // self.pe, self.pe, folds, self.simd)
        return blocks.transpose(0, 2, 1, 3).reshape(-1, self.pe * self.simd)

    @property
    def weights_arrive(self) -> bool:
        """Whether weights come over a stream of their own, in words as in `weight_rows`.

        With memory ``stream`` one word per cycle, over and over; with ``uram``, which a bitstream can't fill, all of them once,
        before the first frame.
        """
        return self.memory in cost.ARRIVING

    @property
    def input_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the buffer that keeps a position's inputs for the rows after the first ``pe``."""
        rows = self.mh // self.groups // self.pe
        return (self.mw // self.simd if rows > 1 else 0, self.simd * self.frame.dtype.bits)

    @property
    def drain(self) -> int:
        """As of any unit; but in front of a loop that reads weights from UltraRAM stands a test whether they were loaded."""
        return self.stages + RESTART if self.memory == "uram" and self.structure == "loop" else super().drain

    def schedule(self) -> Schedule:
        """Loops over positions, groups, row folds, column folds: the first row fold takes inputs, the last column fold gives."""
        columns, rows = self.mw // self.simd, self.mh // self.groups // self.pe
        blocks = self.frame.pixels // self.pixels * self.groups
        reads = grid((blocks, rows * columns), (columns, 1))
        return Schedule(self.cycles, (reads,), (every(blocks * rows, columns, columns - 1),))

    @property
    def _weights(self) -> Resources:
        """The memory of weights."""
        if self.structure == "pipeline":
            return pipeline.weight_rom(*self.weight_memory, self.memory, apart=bool(self.dsp_port))
        return cost.weight_rom(*self.weight_memory, self.memory)

    @cached_property
    def _products(self) -> Resources:
        """Products, their sums and the accumulators; in a rigid pipeline, marks of beats that go beside the adders."""
        packed, columns = self.packing, self.mw // self.simd
        if self.structure != "pipeline":
            style = "dsp" if self.multiplier in cost.SHARED else self.multiplier
            types = (self.weight_type, self.frame.dtype, self.acc)
            return cost.products(*types, style, self.pe, self.simd, columns, packed).times(self.pixels)
        tree = self.tree(self.simd)
        if packed is not None:
            held = weights_held(self.weight_type, self.dsp_port)
            dots = pipeline.packed_products(self, self.pe, self.simd, packed, tree, folds=columns, held=held)
        elif uses_dsp(self):
            dots = pipeline.multiplied(self, self.pe, self.simd, columns, tree)
        else:
            dots = pipeline.dot_products(self, self.pe, self.simd, columns, tree)
        return dots.times(self.pixels) + Resources(ff=tree)

    @property
    def _applied(self) -> Resources:
        """The activation."""
        given = self.pe * self.pixels, self.mh * self.pixels, self.acc, self.activation_spacing(self.simd)
        if self.structure == "pipeline":
            return applied(self.activation, *given, slices=bool(self.dsp_port))
        return Resources() if self.activation is None else self.activation.resources(*given)

    @property
    def _others(self) -> list[Resources]:
        """What no style decides: the input buffer, counters, the end, control."""
        beat, result = self.in_widths[0] * self.frame.dtype.bits, self.out_widths[0] * self.out_type.bits
        if self.structure != "pipeline":
            return [cost.held(*self.input_memory), Resources(lut=cost.CONTROL, ff=beat + result + 40)]
        columns, rows = self.mw // self.simd, self.mh // self.groups // self.pe
        # A beat of inputs waits a cycle for its weights; marks of first and last go beside them in shift registers.
        return [
            pipeline.held(self.input_memory[0], beat),
            pipeline.counters(columns, rows, self.weight_memory[0]),
            pipeline.end(result),
            Resources(lut=pipeline.CONTROL, ff=beat + 4),
        ]

    @property
    def macs(self) -> int:
        return self.frame.pixels * self.mh * self.mw

    def entry(self) -> dict[str, Any]:
        return super().entry() | weight_figures(self)

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(self.mh // self.groups), "simd": divisors(self.mw)}

    def styles(self) -> dict[str, list[str]]:
        packed = ["packed"] if packing(self.weight_type, self.frame.dtype, 2, self.dsp_port) else []
        if packed and self.structure == "pipeline":
            packed.append("overlapped")
        return {"memory": list(cost.WEIGHT_MEMORIES), "multiplier": [*cost.MULTIPLIERS, *packed]}

    def unsound(self) -> list[str]:
        found = array_faults("weights", self.weights, [None, None], self.weight_type)
        found += number_faults(1, groups=self.groups, taps=self.taps, block=self.block)
        if found:
            return found
        if self.mh % self.groups or self.mw % self.taps or (self.mw // self.taps) % self.block:
            found.append(f"groups, taps and block do not divide weights of {self.mh} x {self.mw}")
        if self.frame.c != self.groups * self.mw:
            found.append(f"{self.frame.c} channels against {self.groups} groups of {self.mw} inputs")
        found += unknown_styles(self) + sign_faults(self.signs, self.mh)
        return found or ([] if self.activation is None else self.activation.unsound(self.mh))

    def faults(self) -> list[str]:
        found = self.divides("pe", self.mh // self.groups, "the outputs per group")
        found += self.divides("simd", self.mw, "the inputs per output") + style_faults(self)
        found += several_faults(self, self.frame, (self.pe, self.simd) == (self.mh, self.mw) and self.groups == 1)
        return found + self.divides("block", self.mw // self.taps, "the channels per group")

    def order_faults(self, window: Unit) -> list[str]:
        block = getattr(window, "block", self.block)
        wrong = self.taps > 1 and self.block != block
        return [f"the window's block = {block}, the reader's {self.block}"] if wrong else []

    def window_block(self, channels: int) -> int:
        """A group's channels."""
        return channels // self.groups

    def behind(self, block: int) -> Mvtu:
        return replace(self, block=block, pixels=1)

    @cached_property
    def stream_weights(self) -> Array:
        """Weights (mh, mw) with columns in stream order ``[cg / block][taps][block]``."""
        cg = self.mw // self.taps
        w = self.weights.reshape(self.mh, self.taps, cg // self.block, self.block)
        return np.ascontiguousarray(w.transpose(0, 2, 1, 3).reshape(self.mh, self.mw))

    @cached_property
    def _matrices(self) -> list[Array]:
        bound = max(abs(self.acc.lo), self.acc.hi)
        rows = self.mh // self.groups
        w = self.stream_weights.astype(exact_float(bound))
        return [np.ascontiguousarray(w[g * rows : (g + 1) * rows].T) for g in range(self.groups)]

    def accumulate(self, *xs: Array) -> Array:
        """The integer products (N, H, W, mh) of ``x`` (N, H, W, groups * mw), before the activation, as the model has them (`signs`)."""
        sums = self._sums(xs[0])
        return sums if self.signs is None else sums * self.signs.astype(sums.dtype)

    def _sums(self, x: Array) -> Array:
        first = self._matrices[0]
        flat = x.reshape(-1, self.groups * self.mw).astype(first.dtype, copy=False)
        if self.groups == 1:
            acc = flat @ first
        else:
            parts = [flat[:, g * self.mw : (g + 1) * self.mw] @ m for g, m in enumerate(self._matrices)]
            acc = np.concatenate(parts, axis=1)
        return acc.reshape(*x.shape[:3], self.mh)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        acc = self._sums(xs[0])
        return (acc if self.activation is None else self.activation.apply(acc),)
