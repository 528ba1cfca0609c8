"""Integer activation functions: what an elementwise float tail and its quantizer become.

Each is a per-channel function from the integers of a range to the integers of ``dtype``. They are embedded in the MVTU
and VVTU, which apply them to the accumulator, and in the standalone activation unit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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

__all__ = ["Activation", "Requant", "Search", "Table", "Thresholds"]


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

    @property
    def stages(self) -> int:
        """Clock cycles from an argument to its result."""
        return 2

    @abstractmethod
    def resources(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """What it costs.

        Args:
            lanes: results per cycle.
            channels: channels that pass through the lanes in turn.
            acc: type of the arguments.
        """

    @abstractmethod
    def apply(self, acc: Array) -> Array:
        """Maps integer-valued ``acc`` (..., C) to integers (..., C)."""

    @abstractmethod
    def unsound(self, channels: int) -> list[str]:
        """What contradicts itself in the fields, for a unit of so many channels; as `Unit.unsound`."""

    def domain_faults(self, channels: int) -> list[str]:
        """What is wrong with the domain."""
        return [] if self.domain is None else array_faults("domain", self.domain, [(1, channels), (2,)])

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the fields that hold parameter sets along their first axis; of length 1 where all channels share one."""

    def select(self, index: Array) -> Self:
        """The activation with the parameter sets ``index`` (channels,); one that all channels share stays as it is."""
        fields = {name: getattr(self, name) for name in (*self.parameters, "domain")}
        return replace(self, **{name: a[index] for name, a in fields.items() if a is not None and len(a) > 1})


NEVER = 1 << 60
"""A key that no argument reaches."""


@dataclass(frozen=True, eq=False)
class Search:
    """Thresholds found by halving: step k compares the argument with key number ``path`` of its 2^k and appends the outcome to the path.

    The path behind the last step is the number of keys reached: out = base + step * path, or ``results[c, path]``. It serves any function
    with so many breakpoints, also one that rises and falls.

    Attributes:
        steps: comparisons, one after the other; the greatest path is 2^steps - 1.
        keys: int64 (C, 2^steps - 1), ascending; `NEVER` where there is no threshold.
        results: int64 (C, 2^steps), or None where each key adds the same.
        count: keys that are thresholds.
    """

    steps: int
    keys: Array
    results: Array | None
    count: int

    def at(self, step: int) -> Array:
        """The keys of a step, (C, 2^step)."""
        half = 1 << (self.steps - 1 - step)
        return self.keys[:, half - 1 :: 2 * half]


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholds(Activation):
    """``out[c] = base[c] + sum over k of step[c, k] * (acc[c] >= values[c, k])``.

    Attributes:
        values: int64 (C, K), ascending along K. A level that a channel never reaches has a threshold beyond its range.
        base: int64 (C,): the result below every threshold.
        step: int64 (C, K): what each threshold adds; or (1, 1) where all add the same (1, or 2 for bipolar results).
        style: compare (a comparator per threshold), search (a comparator per doubling of their number, see `search`) or auto (the
            cheaper one, see `searched`). The function is the same.
    The comparison is ``acc >= t``, never ``acc > t``.
    """

    kind: ClassVar[str] = "thresholds"
    values: Array
    base: Array
    step: Array
    style: str = "auto"

    @property
    def stages(self) -> int:
        """Comparison and count, or one comparison after the other."""
        return 1 + self.levels.bit_length()

    @property
    def channels(self) -> int:
        return int(self.values.shape[0])

    def unsound(self, channels: int) -> list[str]:
        found = array_faults("base", self.base, [(1, channels)], self.dtype) + self.domain_faults(channels)
        sets = self.base.shape[0] if not found else 1
        found += array_faults("values", self.values, [(sets,), tuple(range(1 << 16))])
        if found:
            return found
        levels = self.levels
        found += array_faults("step", self.step, [(1, sets), (1, levels)])
        if not found and (np.diff(self.values, axis=1) < 0).any():
            found.append("thresholds do not ascend")
        if not found and levels:
            steps = np.broadcast_to(self.step, (sets, levels)) if self.step.size == 1 else self.step
            found += array_faults(
                "a level", self.base[:, None] + np.cumsum(steps, axis=1), [(sets,), (levels,)], self.dtype
            )
        return found

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("values", "base", "step")

    @property
    def uniform_step(self) -> int | None:
        """The step shared by all thresholds, or None."""
        return int(self.step[0, 0]) if self.step.size == 1 else None

    @property
    def levels(self) -> int:
        """Thresholds per channel (K)."""
        return int(self.values.shape[1])

    @cached_property
    def _bases(self) -> tuple[bool, bool]:
        """Whether some base is not zero, and whether they differ."""
        return bool(self.base.any()), bool((self.base != self.base[0]).any())

    @cached_property
    def search(self) -> Search:
        """The thresholds as a binary search."""
        count = self.values.shape[1]
        if self.uniform_step is not None:
            keys = self.values
            results = None
        else:
            # Thresholds that coincide are one key.
            sums = self.base[:, None] + np.cumsum(np.broadcast_to(self.step, self.values.shape), axis=1)
            last = np.concatenate([np.diff(self.values, axis=1) != 0, np.ones((len(self.values), 1), bool)], axis=1)
            count = int(last.sum(axis=1).max())
            keys = np.full((len(self.values), count), NEVER, np.int64)
            results = np.repeat(sums[:, -1:], count + 1, axis=1)
            results[:, 0] = self.base
            for row, own in enumerate(last):
                keys[row, : own.sum()] = self.values[row, own]
                results[row, 1 : 1 + own.sum()] = sums[row, own]
        steps = count.bit_length()
        more = (1 << steps) - 1 - count
        keys = np.pad(keys, ((0, 0), (0, more)), constant_values=NEVER)
        return Search(
            steps, keys, None if results is None else np.pad(results, ((0, 0), (0, more)), mode="edge"), count
        )

    def searched(self, lanes: int, channels: int, acc: IntType) -> bool:
        """Whether thresholds are searched, not all compared; arguments as of `resources`."""
        return self._form(lanes, channels, acc)[0]

    def resources(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """As `style` says."""
        return self._form(lanes, channels, acc)[1]

    @cached_property
    def _forms(self) -> dict[tuple[int, int, IntType], tuple[bool, Resources]]:
        """What `_form` has answered: allocation asks the same for every style of the product in front."""
        return {}

    def _form(self, lanes: int, channels: int, acc: IntType) -> tuple[bool, Resources]:
        """Whether to search, and what the form takes."""
        key = lanes, channels, acc
        if key not in self._forms:
            self._forms[key] = self._cheaper(*key)
        return self._forms[key]

    def _cheaper(self, lanes: int, channels: int, acc: IntType) -> tuple[bool, Resources]:
        if self.style == "compare" or (self.style == "auto" and self.levels < 3):
            return False, self._comparing(lanes, channels, acc)
        found = self._searching(lanes, channels, acc)
        if self.style == "search":
            return True, found
        compared = self._comparing(lanes, channels, acc)
        price = [(r.lut or 0) + cost.LUTS_PER_BLOCK * (r.bram18 or 0) for r in (found, compared)]
        return (True, found) if price[0] < price[1] else (False, compared)

    def _comparing(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """A comparator per threshold and lane, their count, and a memory of thresholds of the argument's width."""
        count = cost.popcount_luts(self.levels)
        if self.uniform_step is None:
            count = cost.adder_tree_luts(self.levels, self.dtype.bits)
        any_base, own_base = self._bases
        per_lane = self.levels * cost.comparator_luts(acc.bits) + count
        per_lane += self.dtype.bits if any_base and not self.dtype.bipolar else 0
        stepped = self.levels if self.step.shape[0] > 1 else 0
        widths = [acc.bits * self.levels, self.dtype.bits * stepped, self.dtype.bits * own_base]
        params = cost.parameters(self.channels, lanes, channels, widths)
        return params + Resources(lut=ceil(lanes * per_lane), ff=lanes * (self.levels + self.dtype.bits))

    def _searching(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """Per lane and step a comparator and a memory, twice as deep from step to step; a table of results where steps differ."""
        search, blocks = self.search, ceil(channels / lanes) if self.channels > 1 else 1
        parts = [cost.memory(blocks << k, acc.bits, "auto", constant=True) for k in range(search.steps)]
        any_base, own_base = self._bases
        luts = search.steps * cost.comparator_luts(acc.bits)
        if search.results is not None:
            parts.append(cost.memory(blocks << search.steps, self.dtype.bits, "auto", constant=True))
        else:
            parts.append(cost.memory(blocks, self.dtype.bits * own_base, "auto", constant=True))
            luts += self.dtype.bits if any_base and not self.dtype.bipolar else 0
        parts.append(Resources(lut=ceil(luts), ff=search.steps * (acc.bits + search.steps) + self.dtype.bits))
        return Resources.total(parts).times(lanes)

    def apply(self, acc: Array) -> Array:
        if acc.dtype.kind != "f":
            acc = acc.astype(np.int64, copy=False)
        # Thresholds beyond float32's exact integers must be compared in a type that holds them.
        values = self.values.astype(acc.dtype)
        if acc.dtype == np.float32 and not np.array_equal(values.astype(np.int64), self.values):
            acc, values = acc.astype(np.float64), self.values.astype(np.float64)
        step = self.uniform_step
        if step is not None:
            count = np.zeros(
                acc.shape, np.int8 if self.levels < 1 << 7 else np.int16 if self.levels < 1 << 15 else np.int32
            )
            for k in range(self.levels):
                count += acc >= values[:, k]
            out = count.astype(np.float32)
            if step != 1:
                out *= step
            if self.base.any():
                out += self.base.astype(np.float32)
            return out
        out = np.empty(acc.shape, np.float32)
        out[...] = self.base
        for k in range(self.levels):
            out += (acc >= values[:, k]) * self.step[:, k].astype(np.float32)
        return out


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
    """

    kind: ClassVar[str] = "requant"
    mult: Array
    add: Array
    shift: int
    lo: int
    hi: int
    half_even: bool = False
    late: Array | None = None

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

    @property
    def stages(self) -> int:
        """Product, sum, shift and bounds; with ``late`` the memory, its product, and the comparison."""
        return 3 if self.late is None else 5

    @property
    def channels(self) -> int:
        return int(max(self.mult.shape[0], self.add.shape[0], 1 if self.late is None else self.late.shape[0]))

    @cached_property
    def _widths(self) -> tuple[int, int]:
        """Bits of the multipliers (0: all are one) and of the addends (0: all are zero)."""
        factor = int(np.abs(self.mult).max())
        addend = IntType.for_range(int(self.add.min()), int(self.add.max())).bits if self.add.any() else 0
        return 0 if factor == 1 else factor.bit_length() + 1, addend

    def resources(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """A DSP multiply-add (an adder where the multiplier is one), the clipping, a memory of multipliers and addends."""
        factor, addend = self._widths
        product = max(acc.bits + max(0, factor - 1), addend) + 1
        dsp = cost.multiplier_dsps(acc.bits, factor) if factor else 0
        luts = float(product if addend and not dsp else 0) + (product if dsp > 1 else 0)
        # Both bounds are tested on the high bits, then the result is chosen.
        luts += max(0, product - self.shift - self.dtype.bits) / 2 + self.dtype.bits
        luts += self.shift / 5 + product - self.shift if self.half_even and self.shift else 0
        widths = [factor if self.mult.shape[0] > 1 else 0, addend if self.add.shape[0] > 1 else 0]
        params = cost.parameters(self.channels, lanes, channels, widths)
        if self.late is not None:
            bits = max(1, int(self.late.max()).bit_length())
            depth = (self.hi - self.lo) * (ceil(channels / lanes) if self.late.shape[0] > 1 else 1)
            params += cost.memory(depth, bits, "auto", constant=True).times(lanes)
            luts += cost.multiplier_luts(bits, max(1, factor)) + cost.comparator_luts(self.shift) + self.dtype.bits
        return params + Resources(lut=ceil(lanes * luts), ff=lanes * (product + self.dtype.bits), dsp=lanes * dsp)

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

    @property
    def channels(self) -> int:
        return int(self.values.shape[0])

    def resources(self, lanes: int, channels: int, acc: IntType) -> Resources:
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
