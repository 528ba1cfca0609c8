"""Pools: reduction over the taps of a window, and over the whole frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation
from flowc.units.applied import applied
from flowc.units.base import Array, Frame, OneToOne, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.schedule import Schedule, every
from flowc.units.sound import number_faults
from flowc.units.weighted import several_faults

__all__ = ["GlobalSum", "Pool"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(OneToOne):
    """Maximum or sum over the taps of a window with ``block = pe``: (H, W, taps * C) -> (H, W, C).

    ``op`` is "max" or "sum"; ``acc`` is the type of the result (the input's for max). The activation, if any, follows.
    With ``parallel`` the window delivers all taps of a block in one beat (see Window.parallel). ``pixels`` positions leave per cycle;
    more than one only where each is computed whole (``pe`` all channels, ``parallel``).
    Cycles: positions / pixels * C / pe * (1 if parallel else taps).
    """

    kind: ClassVar[str] = "pool"
    takes_window: ClassVar[bool] = True
    channels: int
    op: str
    acc: IntType
    activation: Activation | None = None
    pe: int = 1
    parallel: bool = False
    pixels: int = 1

    @property
    def taps(self) -> int:
        """Inputs per output."""
        return self.frame.c // self.channels

    @property
    def outputs(self) -> tuple[Frame, ...]:
        dtype = self.activation.dtype if self.activation is not None else self.acc
        return (Frame(self.frame.h, self.frame.w, self.channels, dtype),)

    @property
    def lanes(self) -> int:
        return self.pe * self.pixels

    @property
    def terms(self) -> int:
        """Taps per beat."""
        return self.taps if self.parallel else 1

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.lanes * self.terms,)

    @property
    def cycles(self) -> int:
        return self.frame.elements // (self.lanes * self.terms)

    @property
    def tree(self) -> int:
        """Registers between a beat's taps and their maximum or sum: one per level of the tree."""
        return (self.taps - 1).bit_length() if self.parallel else 0

    @property
    def stages(self) -> int:
        """The reduction, then the activation."""
        return (
            3
            + self.tree
            + (
                0
                if self.activation is None
                else self.activation.stages(self.lanes, self.channels * self.pixels, self.acc, self.activation_spacing)
            )
        )

    @property
    def activation_spacing(self) -> int:
        """Cycles from a beat of reductions to the next, at least, as the activation may know: a loop begins it in every one."""
        return self.taps // self.terms if self.structure == "pipeline" else 1

    def schedule(self) -> Schedule:
        """Every iteration takes a beat; the results leave with the last tap's."""
        beats = self.taps // self.terms
        return Schedule(self.cycles, (every(self.cycles),), (every(self.cycles // beats, beats, beats - 1),))

    @property
    def resources(self) -> Resources:
        """A comparator and multiplexer, or an adder, per lane and pair of taps, then the activation."""
        if self.structure == "pipeline":
            return self._pipeline
        pairs = max(1, self.terms - 1) * self.lanes
        per_pair = self.acc.bits + (cost.comparator_luts(self.acc.bits) if self.op == "max" else 0)
        held = self.lanes * self.acc.bits * (2 + ceil(self.terms / 2) * min(1, self.tree))
        total = Resources(lut=cost.CONTROL + ceil(pairs * per_pair), ff=held + 20)
        if self.activation is not None:
            own = self.lanes, self.channels * self.pixels
            total += self.activation.resources(*own, self.acc, self.activation_spacing)
        return total

    @property
    def _pipeline(self) -> Resources:
        """As SystemVerilog has it: a tree with registers behind its levels, the result, the end behind one more register.

        Taps that come one by one meet the result: a maximum loads it where the tap is as large, with no multiplexer.
        """
        bits, x = self.acc.bits, self.frame.dtype.bits
        levels = range(1, self.tree + 1)
        nodes = {level: ceil(self.terms / (1 << level)) for level in levels}
        if self.op == "max":
            luts = (self.terms - 1) * _larger(bits) if self.parallel else _loaded(bits)
            held = bits * sum(nodes.values())
        else:
            luts = ceil(cost.adder_tree_luts(self.terms, x)) if self.parallel else bits
            held = sum(count * min(bits, x + level) for level, count in nodes.items())
        lane = Resources(lut=luts, ff=held + bits)
        parts = [
            lane.times(self.lanes), Resources(lut=pipeline.PASSING, ff=self.tree + 1), pipeline.counters(self.taps // self.terms),
            pipeline.end(self.lanes * self.outputs[0].dtype.bits, 1),
            applied(self.activation, self.lanes, self.channels * self.pixels, self.acc, self.activation_spacing),
        ]  # fmt: skip
        return Resources.total(parts)

    @property
    def moves(self) -> bool:
        """A maximum picks one of its inputs; a maximum of marks says whether any of its taps is marked."""
        return self.op == "max" and self.activation is None

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(self.channels)}

    def unsound(self) -> list[str]:
        found = number_faults(1, channels=self.channels)
        if self.op not in ("max", "sum"):
            found.append(f"there is no pool '{self.op}'")
        if not found and self.frame.c % self.channels:
            found.append(f"{self.frame.c} inputs for {self.channels} channels")
        return found or ([] if self.activation is None else self.activation.unsound(self.channels))

    def faults(self) -> list[str]:
        whole = self.pe == self.channels and self.parallel
        return self.divides("pe", self.channels, "the channels") + several_faults(self, self.frame, whole)

    def order_faults(self, window: Unit) -> list[str]:
        block, parallel = getattr(window, "block", self.pe), getattr(window, "parallel", self.parallel)
        found = [] if block == self.pe else [f"the window's block = {block}, the reader's pe = {self.pe}"]
        return found + (
            [] if parallel == self.parallel else [f"the window's parallel = {parallel}, the reader's {self.parallel}"]
        )

    def behind(self, block: int) -> Pool:
        return replace(self, pe=block, parallel=False, pixels=1)

    def accumulate(self, *xs: Array) -> Array:
        """The reductions (N, H, W, C), before the activation."""
        (x,) = xs
        n, h, w, _ = x.shape
        x = x.reshape(n, h, w, self.channels // self.pe, self.taps, self.pe)
        if self.op == "max":
            return x.max(axis=4).reshape(n, h, w, self.channels)
        wide = np.float32 if max(abs(self.acc.lo), self.acc.hi) < 1 << 24 else np.float64
        return x.sum(axis=4, dtype=wide).reshape(n, h, w, self.channels)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        out = self.accumulate(xs[0])
        return (out if self.activation is None else self.activation.apply(out),)


def _larger(bits: int) -> int:
    """Tables of the larger of two numbers: up to three bits, each of its bits is a function of one table; else compared, then chosen."""
    return bits if bits <= 3 else bits + ceil(cost.comparator_luts(bits))


def _loaded(bits: int) -> int:
    """Tables that say whether a tap is loaded: it is as large as what there is, or the first. Of two bits that is one."""
    return 1 if bits <= 2 else ceil(cost.comparator_luts(bits)) + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class GlobalSum(OneToOne):
    """Sum over all positions: (H, W, C) -> (1, 1, C), C accumulators. The activation, if any, follows.

    Cycles: positions * C / pe: every input beat; the results leave during the last position.
    """

    kind: ClassVar[str] = "global_sum"
    acc: IntType
    activation: Activation | None = None
    pe: int = 1

    @property
    def outputs(self) -> tuple[Frame, ...]:
        dtype = self.activation.dtype if self.activation is not None else self.acc
        return (Frame(1, 1, self.frame.c, dtype),)

    @property
    def lanes(self) -> int:
        return self.pe

    @property
    def cycles(self) -> int:
        return self.frame.elements // self.pe

    @property
    def stages(self) -> int:
        """The sum, then the activation."""
        return 3 + (0 if self.activation is None else self.activation.stages(self.pe, self.frame.c, self.acc))

    def schedule(self) -> Schedule:
        """Every iteration takes a beat; the results leave during the last position."""
        blocks = self.frame.c // self.pe
        return Schedule(self.cycles, (every(self.cycles),), (every(blocks, 1, self.cycles - blocks),))

    @property
    def resources(self) -> Resources:
        """A memory of sums, an adder per lane, then the activation."""
        bits = self.pe * self.acc.bits
        total = cost.held(self.frame.c // self.pe, bits) + Resources(lut=cost.CONTROL + bits, ff=2 * bits + 20)
        if self.activation is not None:
            total += self.activation.resources(self.pe, self.frame.c, self.acc)
        return total

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(self.frame.c)}

    def unsound(self) -> list[str]:
        return [] if self.activation is None else self.activation.unsound(self.frame.c)

    def faults(self) -> list[str]:
        return self.divides("pe", self.frame.c, "the channels")

    def accumulate(self, *xs: Array) -> Array:
        """The sums (N, 1, 1, C), before the activation."""
        return xs[0].sum(axis=(1, 2), keepdims=True, dtype=np.float64)

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        acc = self.accumulate(xs[0])
        return (acc if self.activation is None else self.activation.apply(acc),)
