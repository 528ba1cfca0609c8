"""Integer activation functions: what an elementwise float tail and its quantizer become.

Each is a per-channel function from the integers of a range to the integers of ``dtype``. They are embedded in the MVTU
and VVTU, which apply them to the accumulator, and in the standalone activation unit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import ClassVar, Self

import numpy as np

from flowc.errors import MismatchError
from flowc.model.dtypes import IntType, UInt
from flowc.units import cost
from flowc.units.base import Array
from flowc.units.cost import Resources
from flowc.units.sound import array_faults

__all__ = ["Activation", "Requant", "Table"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation(ABC):
    """A per-channel integer function.

    Attributes:
        dtype: type of the results.
        domain: int64 (C, 2) or (1, 2): least and greatest argument of each parameter set that the function was made for. Within
            them it is the model's; what is equal there may replace it. None: not known.
    """

    kind: ClassVar[str]
    dtype: IntType
    domain: Array | None = None

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of per-channel parameter sets; 1 means that all channels share one."""

    def stages(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> int:  # noqa: ARG002
        """Clock cycles from an argument to its result; arguments as of `resources`."""
        return 2

    @property
    @abstractmethod
    def likeness(self) -> Hashable:
        """All that `stages` and `resources` depend on: equal for activations of one kind that cost the same everywhere."""

    @abstractmethod
    def resources(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> Resources:
        """What it costs.

        Args:
            lanes: results per cycle.
            channels: channels that pass through the lanes in turn.
            acc: type of the arguments.
            spacing: cycles from a beat of arguments to the next, at least.
        """

    @abstractmethod
    def apply(self, acc: Array) -> Array:
        """Maps integer-valued ``acc`` (..., C) to integers (..., C)."""

    @abstractmethod
    def unsound(self, channels: int) -> list[str]:
        """What contradicts itself in the fields, for a unit of so many channels; as `Unit.unsound`."""

    def domain_faults(self, channels: int) -> list[str]:
        """What is wrong with the domain."""
        if self.domain is None:
            return []
        found = array_faults("domain", self.domain, [(1, channels), (2,)])
        empty = not found and bool((self.domain[:, 0] > self.domain[:, 1]).any())
        return [*found, "the domain holds no argument"] if empty else found

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the fields that hold parameter sets along their first axis; of length 1 where all channels share one."""

    def select(self, index: Array) -> Self:
        """The activation with the parameter sets ``index`` (channels,); one that all channels share stays as it is."""
        fields = {name: getattr(self, name) for name in (*self.parameters, "domain")}
        return replace(self, **{name: a[index] for name, a in fields.items() if a is not None and len(a) > 1})


@dataclass(frozen=True, eq=False, kw_only=True)
class Requant(Activation):
    """Multiply-add-shift: ``out[c] = clip((acc[c] * mult[c] + add[c]) >> shift, lo, hi)`` (arithmetic shift = floor).

    With ``half_even``, the shift rounds to nearest, ties to even, instead of flooring. With ``late``, levels that the line enters a few
    integers too early are put right: where ``(acc * mult + add) mod 2^shift < late[c, level] * |mult|`` (the level was entered fewer
    than ``late`` integers ago) and lo < level <= hi, the result is one less.

    Attributes:
        mult, add: int64 (C,) or (1,).
        shift: bits.
        lo, hi: bounds of the result.
        late: int64 (C, hi - lo), 0 to 31, for the levels lo + 1 to hi; or None. Not together with ``half_even``.
        slices: whether the part is known to be AMD's: its DSP slices add to a product, its look-up tables are shift registers, too.
    """

    kind: ClassVar[str] = "requant"
    mult: Array
    add: Array
    shift: int
    lo: int
    hi: int
    half_even: bool = False
    late: Array | None = None
    slices: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("mult", "add", "late")

    def unsound(self, channels: int) -> list[str]:
        found = array_faults("mult", self.mult, [(1, channels)]) + array_faults("add", self.add, [(1, channels)])
        found += self.domain_faults(channels)
        if not 0 <= self.shift < 63:
            found.append(f"shift = {self.shift} is not 0 to 62")
        if not (self.lo <= self.hi and self.dtype.holds(self.lo, self.hi)):
            found.append(f"the results {self.lo} to {self.hi} are no {self.dtype}")
        if self.late is not None and not found:
            found += array_faults("late", self.late, [(1, channels), (self.hi - self.lo,)], UInt(5))
            found += ["half_even and late exclude each other"] if self.half_even else []
        return found

    def stages(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> int:  # noqa: ARG002
        """Product in two cycles, sum, shift and bounds; with ``late`` the memory, the register behind it, its product, the comparison."""
        return 4 if self.late is None else 8

    @property
    def channels(self) -> int:
        return int(max(self.mult.shape[0], self.add.shape[0], 1 if self.late is None else self.late.shape[0]))

    @cached_property
    def widths(self) -> tuple[int, int]:
        """Bits of the multipliers (0: all are one) and of the addends (0: all are zero)."""
        factor = int(np.abs(self.mult).max())
        addend = IntType.for_range(int(self.add.min()), int(self.add.max())).bits if self.add.any() else 0
        return 0 if factor == 1 else factor.bit_length() + 1, addend

    @property
    def likeness(self) -> Hashable:
        late = None if self.late is None else (self.late.shape[0], int(self.late.max()).bit_length())
        own = self.mult.shape[0] > 1, self.add.shape[0] > 1
        return (
            self.dtype,
            self.channels,
            self.shift,
            self.lo,
            self.hi,
            self.half_even,
            self.widths,
            own,
            late,
            self.slices,
        )

    def resources(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> Resources:  # noqa: ARG002
        """A DSP multiply-add (an adder where the multiplier is one), the clipping, a memory of multipliers and addends."""
        factor, addend = self.widths
        product = max(acc.bits + max(0, factor - 1), addend) + 1
        dsp = cost.multiplier_dsps(acc.bits, factor) if factor else 0
        luts = float(product if addend and not dsp else 0) + (product if dsp > 1 else 0)
        # Both bounds are tested on the high bits, then the result is chosen.
        luts += max(0, product - self.shift - self.dtype.bits) / 2 + self.dtype.bits
        luts += self.shift / 5 + product - self.shift if self.half_even and self.shift else 0
        widths = [factor if self.mult.shape[0] > 1 else 0, addend if self.add.shape[0] > 1 else 0]
        params = cost.parameters(self.channels, lanes, channels, widths)
        ffs = product + self.dtype.bits
        if self.late is not None:
            bits = max(1, int(self.late.max()).bit_length())
            depth = (self.hi - self.lo) * (ceil(channels / lanes) if self.late.shape[0] > 1 else 1)
            params += cost.memory(depth, bits, cost.key_style(depth, bits), constant=True).times(lanes)
            luts += cost.multiplier_luts(bits, max(1, factor)) + cost.comparator_luts(self.shift) + self.dtype.bits
            # What waits for the memory and for its product: multiplier, rest, result, address
            ffs += 7 * factor + 4 * self.shift + 5 * self.dtype.bits + 3 * bits + depth.bit_length()
        return params + Resources(lut=ceil(lanes * luts), ff=lanes * ffs, dsp=lanes * dsp)

    def apply(self, acc: Array) -> Array:
        wide = acc.astype(np.int64) * self.mult + self.add
        if self.half_even and self.shift:
            floor = wide >> self.shift
            rest = wide - (floor << self.shift)
            half = 1 << (self.shift - 1)
            wide = floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))
        elif self.late is not None:
            level = wide >> self.shift
            inside = (level > self.lo) & (level <= self.hi)
            index = np.clip(level - self.lo - 1, 0, self.hi - self.lo - 1)
            late = self.late[np.arange(self.late.shape[0]), index]
            wide = level - (inside & (wide - (level << self.shift) < late * np.abs(self.mult)))
        else:
            wide >>= self.shift
        # The keys of an argmax may exceed what float32 holds.
        exact = np.float32 if max(abs(self.lo), abs(self.hi)) <= 1 << 24 else np.float64
        out: Array = np.clip(wide, self.lo, self.hi).astype(exact)
        return out


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Activation):
    """``out[c] = values[c, acc[c] - lo]``.

    Attributes:
        lo: the input integer of the first entry; inputs outside the table do not occur.
        values: int64 (C, n) or (1, n).
    """

    kind: ClassVar[str] = "table"
    lo: int
    values: Array

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("values",)

    def unsound(self, channels: int) -> list[str]:
        return array_faults("values", self.values, [(1, channels), None], self.dtype) + self.domain_faults(channels)

    def stages(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> int:  # noqa: ARG002
        """Address, memory, the register behind it."""
        return 3

    @property
    def channels(self) -> int:
        return int(self.values.shape[0])

    @property
    def likeness(self) -> Hashable:
        return self.dtype, self.values.shape

    def resources(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> Resources:  # noqa: ARG002
        """A memory per lane with the tables of the lane's channels (a block RAM has two ports and serves two lanes)."""
        depth = int(self.values.shape[1]) * (ceil(channels / lanes) if self.channels > 1 else 1)
        style = cost.memory_style(depth, self.dtype.bits, constant=True)
        copies = ceil(lanes / 2) if style == "bram" else lanes
        one = cost.memory(depth, self.dtype.bits, style, constant=True)
        return one.times(copies) + Resources(lut=lanes * (acc.bits if self.lo else 0))

    def apply(self, acc: Array) -> Array:
        index = acc.astype(np.int64) - self.lo
        if index.size and not 0 <= index.min() <= index.max() < self.values.shape[1]:
            raise MismatchError(
                "an integer lies outside of the table that maps it",
                remedy="The model makes values that are infinite or no numbers, or the design's files were damaged",
            )
        if self.channels == 1:
            flat: Array = self.values[0].astype(np.float32)[index]
            return flat
        out: Array = self.values.astype(np.float32)[np.arange(self.channels), index]
        return out
