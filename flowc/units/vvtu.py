"""Vector-vector-threshold unit (VVTU, the field's VVAU): depthwise convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation, Requant
from flowc.units.applied import applied
from flowc.units.base import RESTART, Array, Frame, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.mvtu import exact_float
from flowc.units.schedule import Schedule, every
from flowc.units.sound import array_faults, number_faults, sign_faults
from flowc.units.weighted import Multiplying, several_faults, style_faults, unknown_styles, uses_dsp, weight_figures

__all__ = ["Vvtu"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Vvtu(Multiplying):
    """Depthwise product: ``acc[c * m + j] = sum over k of weights[c * m + j, k] * x[k, c]``, then the activation.

    Input frame (H, W, taps * C) in the order of a window with ``block = pe``: ``[C / pe][taps][pe]``; output (H, W, C * m).

    Attributes:
        weights: int64 (C * m, taps); m, the channel multiplier, is ``weights.shape[0] / C``.
        signs: as of an MVTU.
        pe: input channels in parallel; divides C. All m results of a channel leave together (m * pe results a beat).
        parallel: the window delivers all taps of a block in one beat (see Window.parallel).
        memory: where weights are kept, as in an MVTU.
        pixels: positions computed per cycle; more than one only where each is computed whole (``pe`` all channels, ``parallel``).
    Cycles: positions / pixels * (C / pe) * (1 if parallel else taps).
    """

    kind: ClassVar[str] = "vvtu"
    takes_window: ClassVar[bool] = True
    by_shape: ClassVar[frozenset[str]] = frozenset({"weights", "signs"})
    frame: Frame
    channels: int
    weights: Array
    weight_type: IntType
    acc: IntType
    activation: Activation | None = None
    signs: Array | None = None
    pe: int = 1
    parallel: bool = False
    memory: str = "auto"
    multiplier: str = "auto"
    pixels: int = 1

    @property
    def taps(self) -> int:
        """KH * KW."""
        return int(self.weights.shape[1])

    @property
    def depth_multiplier(self) -> int:
        """Outputs per input channel."""
        return int(self.weights.shape[0]) // self.channels

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def out_type(self) -> IntType:
        """Type of the results: the activation's, or the accumulator's."""
        return self.activation.dtype if self.activation is not None else self.acc

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (Frame(self.frame.h, self.frame.w, int(self.weights.shape[0]), self.out_type),)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.pe * (self.taps if self.parallel else 1) * self.pixels,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.pe * self.depth_multiplier * self.pixels,)

    @property
    def cycles(self) -> int:
        return self.frame.pixels // self.pixels * (self.channels // self.pe) * (1 if self.parallel else self.taps)

    @property
    def stages(self) -> int:
        """As of an MVTU: memory, product, adder tree, accumulator, activation."""
        stages = 6 + self.tree
        if self.activation is not None:
            outputs = int(self.weights.shape[0]) * self.pixels
            stages += self.activation.stages(self.out_widths[0], outputs, self.acc, self.activation_spacing)
        return stages

    @property
    def activation_spacing(self) -> int:
        """As of an MVTU."""
        return self.taps if self.structure == "pipeline" and not self.parallel else 1

    @property
    def tree(self) -> int:
        """Registers among the adders of a beat's products, one per level."""
        return (self.taps - 1).bit_length() if self.parallel else 0

    @property
    def products(self) -> int:
        """Products per cycle."""
        return self.pixels * self.pe * self.depth_multiplier * (self.taps if self.parallel else 1)

    @property
    def weight_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the weight memory: one word holds the weights of a cycle."""
        terms = self.taps if self.parallel else 1
        lanes = self.pe * self.depth_multiplier
        return (self.channels // self.pe * (self.taps // terms), lanes * terms * self.weight_type.bits)

    @property
    def weight_rows(self) -> Array:
        """Weights as the unit reads them, a row per cycle of a position.

        Ordered [block][tap], each [pe][copy]; parallel: [block], each [tap][pe][copy].
        """
        blocks, lanes = self.channels // self.pe, self.pe * self.depth_multiplier
        ordered = self.weights.reshape(blocks, lanes, self.taps).transpose(0, 2, 1)
        return ordered.reshape(-1, lanes * (self.taps if self.parallel else 1))

    @property
    def weights_arrive(self) -> bool:
        """Whether weights come over a stream of their own (see `Mvtu.weights_arrive`)."""
        return self.memory in cost.ARRIVING

    @property
    def drain(self) -> int:
        """As of any unit; but in front of a loop that reads weights from UltraRAM stands a test whether they were loaded."""
        return self.stages + RESTART if self.memory == "uram" and self.structure == "loop" else super().drain

    def schedule(self) -> Schedule:
        """Every iteration takes a beat; the results leave with the last tap's."""
        folds = 1 if self.parallel else self.taps
        return Schedule(self.cycles, (every(self.cycles),), (every(self.cycles // folds, folds, folds - 1),))

    @property
    def _weights(self) -> Resources:
        """The memory of weights; of the part a requantizer may know."""
        if self.structure == "pipeline":
            apart = isinstance(self.activation, Requant) and self.activation.slices
            return pipeline.weight_rom(*self.weight_memory, self.memory, apart=apart)
        return cost.weight_rom(*self.weight_memory, self.memory)

    @property
    def _folds(self) -> tuple[int, int]:
        """Products of a sum per cycle, and cycles of a sum."""
        terms = self.taps if self.parallel else 1
        return terms, self.taps // terms

    @cached_property
    def _products(self) -> Resources:
        """Products, their sums and the accumulators."""
        sums = self.pe * self.depth_multiplier, *self._folds
        if self.structure == "pipeline":
            made = pipeline.multiplied if uses_dsp(self) else pipeline.dot_products
            return made(self, *sums, self.tree).times(self.pixels)
        types = (self.weight_type, self.frame.dtype, self.acc)
        return cost.products(*types, self.multiplier, *sums).times(self.pixels)

    @property
    def _applied(self) -> Resources:
        """The activation."""
        outputs = int(self.weights.shape[0]) * self.pixels
        given = self.out_widths[0], outputs, self.acc, self.activation_spacing
        if self.structure == "pipeline":
            return applied(self.activation, *given)
        return Resources() if self.activation is None else self.activation.resources(*given)

    @property
    def _others(self) -> list[Resources]:
        """What no style decides: counters, the end, control."""
        beat, results = self.in_widths[0] * self.frame.dtype.bits, self.out_widths[0] * self.out_type.bits
        if self.structure != "pipeline":
            return [Resources(lut=cost.CONTROL, ff=beat + results + 30)]
        _, folds = self._folds
        control = Resources(lut=pipeline.CONTROL, ff=2 * beat + self.tree + 4)
        return [pipeline.counters(folds, self.weight_memory[0]), pipeline.end(results), control]

    @property
    def macs(self) -> int:
        return self.frame.pixels * int(self.weights.size)

    def entry(self) -> dict[str, Any]:
        return super().entry() | weight_figures(self)

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(self.channels)}

    def styles(self) -> dict[str, list[str]]:
        return {"memory": list(cost.WEIGHT_MEMORIES), "multiplier": list(cost.MULTIPLIERS)}

    def unsound(self) -> list[str]:
        found = array_faults("weights", self.weights, [None, None], self.weight_type) + number_faults(
            1, channels=self.channels
        )
        if found:
            return found
        rows = int(self.weights.shape[0])
        if rows % self.channels:
            found.append(f"{rows} rows of weights for {self.channels} channels")
        if self.frame.c != self.taps * self.channels:
            found.append(f"{self.frame.c} inputs against {self.channels} channels of {self.taps} taps")
        found += unknown_styles(self) + sign_faults(self.signs, rows)
        return found or ([] if self.activation is None else self.activation.unsound(rows))

    def faults(self) -> list[str]:
        found = self.divides("pe", self.channels, "the channels") + style_faults(self)
        return found + several_faults(self, self.frame, self.pe == self.channels and self.parallel)

    def order_faults(self, window: Unit) -> list[str]:
        block, parallel = getattr(window, "block", self.pe), getattr(window, "parallel", self.parallel)
        if block != self.pe:
            return [f"the window's block = {block}, the reader's pe = {self.pe}"]
        return (
            [] if parallel == self.parallel else [f"the window's parallel = {parallel}, the reader's {self.parallel}"]
        )

    def behind(self, block: int) -> Vvtu:
        return replace(self, pe=block, parallel=False, pixels=1)

    def accumulate(self, *xs: Array) -> Array:
        """The integer products (N, H, W, C * m), before the activation, as the model has them (`signs`)."""
        sums = self._sums(xs[0])
        return sums if self.signs is None else sums * self.signs.astype(sums.dtype)

    def _sums(self, x: Array) -> Array:
        n, h, w, _ = x.shape
        real = exact_float(max(abs(self.acc.lo), self.acc.hi))
        blocks = self.channels // self.pe
        x = x.reshape(n, h, w, blocks, self.taps, self.pe).astype(real, copy=False)
        weights = self.weights.astype(real).reshape(blocks, self.pe, self.depth_multiplier, self.taps)
        acc = np.zeros((n, h, w, blocks, self.pe, self.depth_multiplier), real)
        for k in range(self.taps):
            acc += x[:, :, :, :, k, :, None] * weights[..., k]
        return acc.reshape(n, h, w, -1)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        acc = self._sums(xs[0])
        return (acc if self.activation is None else self.activation.apply(acc),)
