"""Thresholds: a step up or down at each of a few integers. All compared at once, or found by halving, step beside step or in turn."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation
from flowc.units.base import Array
from flowc.units.cost import Resources
from flowc.units.search import Search, halving
from flowc.units.sound import array_faults

__all__ = ["MAX_COMPARISONS", "Thresholds"]

STYLES = ("auto", "compare", "search", "serial")
"""How thresholds may be found, see `Thresholds.style`."""
MAX_COMPARISONS = 4096
"""Most comparisons of one loop with thresholds: beyond, synthesis takes hours."""

_COMPARED = 256
"""Thresholds up to which an emulated activation compares with every one; beyond, it searches."""
MOST_COUNTED = 6
"""Thresholds that are counted in one cycle."""
MOST_SUMMED = 3
"""Steps of different heights that are added in one cycle."""
PACE, LATE_PACE = 2, 3
"""Cycles of a step of a search, its memory's and its comparison's; and where a register stands behind the memory."""
SERIAL_CONTROL = 5
"""Look-up tables that say when a step is due and which is the last."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholds(Activation):
    """``out[c] = base[c] + sum over k of step[c, k] * (acc[c] >= values[c, k])``.

    Attributes:
        values: int64 (C, K), ascending along K. A level that a channel never reaches has a threshold beyond its range.
        base: int64 (C,): the result below every threshold.
        step: int64 (C, K): what each threshold adds; or (1, 1) where all add the same (1, or 2 for bipolar results).
        style: compare (a comparator per threshold), search (a comparator per doubling of their number, see `search`), serial (one
            comparator that takes the steps of a search in turn, where arguments come seldom enough; else search) or auto (the cheapest,
            see `form`). The function is the same.
        memory: where thresholds and results lie: auto, lutram or bram (`cost.THRESHOLD_MEMORIES`). Forms are compared at that price too.
        read_cycles: after how many cycles a block RAM's word is compared: 1 where the device is fast enough to do so as it comes, 2 with a
            register behind it. More than one block deep it has that register everywhere, and so has what is looked up of the results.
    The comparison is ``acc >= t``, never ``acc > t``.
    """

    kind: ClassVar[str] = "thresholds"
    values: Array
    base: Array
    step: Array
    style: str = "auto"
    memory: str = "auto"
    read_cycles: int = 2

    def stages(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> int:
        """Comparison and count, this in two cycles where many are counted; or one comparison after the other.

        Of a search each comparison takes a cycle and so does each memory, two where a register stands behind it, and the result. One
        comparator for all steps first keeps the argument, and has the first key before it comes.
        """
        form = self.form(lanes, channels, acc, spacing)
        if form == "compare":
            return 2 if self.levels <= (MOST_COUNTED if self.plain else MOST_SUMMED) else 3
        steps = self.search.steps
        if form == "serial":
            return self._turns(lanes, channels, acc)
        return PACE * steps + max(0, steps + self.tabled - self.first_late(lanes, channels, acc))

    def first_block(self, lanes: int, channels: int, acc: IntType) -> int:
        """The first step of a pipeline's search whose memory is a block RAM, as those of all after it are (`search_memories`).

        Step ``steps`` is the table of results, one beyond it says none.
        """
        memories = self._memories(lanes, channels, acc)
        if self.memory == "auto":
            deep = (k for k, (depth, bits) in enumerate(memories, 1) if cost.key_style(depth, bits) == "bram")
        else:
            deep = (k for k, (depth, bits) in enumerate(memories, 1) if self.stored(depth, bits) == "bram")
        return next(deep, len(memories) + 1)

    def first_late(self, lanes: int, channels: int, acc: IntType) -> int:
        """The first step of a search behind whose memory stands a register; all after it have one, too. As `first_block` for none."""
        first, memories = self.first_block(lanes, channels, acc), self._memories(lanes, channels, acc)
        return next((k for k, shape in enumerate(memories, 1) if k >= first and self._late(*shape)), len(memories) + 1)

    def _memories(self, lanes: int, channels: int, acc: IntType) -> list[tuple[int, int]]:
        """Words and bits of a lane's memories of a search, from step 1 on; behind those of the keys the results'."""
        steps, rows = self.search.steps, self._rows(lanes, channels)
        widths = [acc.bits] * (steps - 1) + [self.dtype.bits] * self.tabled
        return [(rows << k, bits) for k, bits in enumerate(widths, 1)]

    def search_memories(self, lanes: int, channels: int, acc: IntType) -> list[tuple[int, int, str]]:
        """Words, bits and style of a lane's memories of a search in pipelines, from step 1 on; step ``steps`` is the table of results."""
        first = self.first_block(lanes, channels, acc)
        shapes = enumerate(self._memories(lanes, channels, acc), 1)
        return [(depth, bits, "bram" if k >= first else "lutram") for k, (depth, bits) in shapes]

    def _late(self, depth: int, bits: int) -> bool:
        """Whether a register stands behind a block RAM."""
        return self.read_cycles > 1 or pipeline.banks(depth, bits) > 1

    def _rows(self, lanes: int, channels: int) -> int:
        """Sets of parameters that follow each other in a lane."""
        return ceil(channels / lanes) if self.channels > 1 else 1

    def stored(self, depth: int, bits: int, *, first: bool = False) -> str:
        """Style of a memory of thresholds or results, lutram or bram. The first keys of a search are few: ``bram`` leaves them alone."""
        open_ = first and self.memory == "bram"
        worth = cost.THRESHOLD_MEMORIES["auto" if open_ else self.memory]
        return cost.memory_style(depth, bits, constant=True, worth=worth)

    def pace(self, lanes: int, channels: int, acc: IntType) -> int:
        """Cycles of a step of one comparator for all: memory and comparison, and the register behind a block RAM."""
        depth, style = self.turned_memory(lanes, channels, acc)
        return LATE_PACE if style == "bram" and self._late(depth, acc.bits) else PACE

    def _turns(self, lanes: int, channels: int, acc: IntType) -> int:
        """Cycles from an argument to its result where one comparator takes all steps."""
        pace = self.pace(lanes, channels, acc)
        return pace * (self.search.steps - 1) + 3 + (self.tabled and pace == LATE_PACE)

    def turned_memory(self, lanes: int, channels: int, acc: IntType) -> tuple[int, str]:
        """Words and style of the memory of all keys of a lane, where one comparator takes all steps: a tree for each row of parameters."""
        depth = self._rows(lanes, channels) << self.search.steps
        return depth, cost.key_style(depth, acc.bits) if self.memory == "auto" else self.stored(depth, acc.bits)

    @property
    def _worth(self) -> int:
        return cost.THRESHOLD_MEMORIES[self.memory]

    def kept_in(self, memory: str) -> Thresholds:
        """The same with another style of memory."""
        if memory == self.memory:
            return self
        if memory not in self._kept:
            self._kept[memory] = replace(self, memory=memory)
        return self._kept[memory]

    @cached_property
    def _kept(self) -> dict[str, Thresholds]:
        """What `kept_in` has given: allocation asks again for every fold."""
        return {}

    @property
    def plain(self) -> bool:
        """Whether a number of thresholds, times a step and on top of a base, says all."""
        if self.uniform_step is None or self.bases[1]:
            return False
        return not self.dtype.bipolar or (self.levels, int(self.base[0]), self.uniform_step) == (1, -1, 2)

    @property
    def tabled(self) -> bool:
        """Whether a search ends in a table of results."""
        return self.uniform_step is None or self.bases[1] or self.dtype.bipolar

    @property
    def channels(self) -> int:
        return int(self.values.shape[0])

    def unsound(self, channels: int) -> list[str]:
        found = array_faults("base", self.base, [(1, channels)], self.dtype) + self.domain_faults(channels)
        sets = self.base.shape[0] if not found else 1
        found += array_faults("values", self.values, [(sets,), tuple(range(1 << 16))])
        found += [] if self.memory in cost.THRESHOLD_MEMORIES else [f"there is no memory of thresholds '{self.memory}'"]
        found += [] if self.read_cycles in (1, 2) else [f"no block RAM is read in {self.read_cycles} cycles"]
        found += [] if self.style in STYLES else [f"there is no style of thresholds '{self.style}'"]
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
    def bases(self) -> tuple[bool, bool]:
        """Whether some base is not zero, and whether they differ."""
        return bool(self.base.any()), bool((self.base != self.base[0]).any())

    @cached_property
    def search(self) -> Search:
        """The thresholds as a binary search."""
        return halving(self.values, self.base, None if self.uniform_step is not None else self.step)

    @cached_property
    def _stored(self) -> int:
        """Bits of a threshold in memory: a power of two."""
        reach = max(map(abs, self.ends))
        return max(8, 1 << reach.bit_length().bit_length())

    @cached_property
    def _bits(self) -> int:
        """Bits of a number that holds every threshold."""
        return IntType.for_range(*self.ends).bits if self.levels else 0

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The least threshold and the greatest."""
        return int(self.values.min()), int(self.values.max())

    def width(self, acc: IntType) -> int:
        """Bits in which thresholds differ, of arguments of type ``acc``: beyond its range one says what the next integer says."""
        return min(self._bits, acc.bits)

    @property
    def likeness(self) -> Hashable:
        step, search = self.step.shape[0] > 1, self.search
        counted = self.uniform_step is None
        stored = (self._stored, self._bits) if self.levels else 0
        shape = self.values.shape, step, counted, self.plain, self.bases, stored
        return self.dtype, self.style, self.memory, self.read_cycles, shape, search.steps, search.results is None

    def comparable(self, lanes: int, channels: int) -> bool:
        """Whether one loop holds a comparison per threshold and lane, and one word of a memory the thresholds of a lane."""
        wired = self.channels == 1 or channels <= lanes
        return lanes * self.levels <= MAX_COMPARISONS and (wired or self.levels * self._stored <= cost.WIDEST_WORD)

    def form(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> str:
        """How thresholds are found, compare, search or serial; arguments as of `resources`."""
        return self._form(lanes, channels, acc, spacing)[0]

    def searched(self, lanes: int, channels: int, acc: IntType) -> bool:
        """Whether thresholds are searched, not all compared, where an argument may come in every cycle."""
        return self.form(lanes, channels, acc) == "search"

    def resources(self, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> Resources:
        """As `style` says."""
        return self._form(lanes, channels, acc, spacing)[1]

    @cached_property
    def _forms(self) -> dict[tuple[int, int, IntType, int], tuple[str, Resources]]:
        """What `_form` has answered: allocation asks the same for every style of the product in front."""
        return {}

    def _form(self, *key: *tuple[int, int, IntType, int]) -> tuple[str, Resources]:
        """The form, and what it takes."""
        if key not in self._forms:
            self._forms[key] = self._cheapest(*key)
        return self._forms[key]

    def _cheapest(self, lanes: int, channels: int, acc: IntType, spacing: int) -> tuple[str, Resources]:
        cost_of = {"compare": self._comparing, "search": self._searching, "serial": self._in_turn}
        if self.style == "auto":
            names = self._open(lanes, channels, acc, spacing)
        else:
            in_vain = self.style == "serial" and not self._has_turns(lanes, channels, acc, spacing)
            names = ["search" if in_vain else self.style]
        found = [(name, cost_of[name](lanes, channels, acc)) for name in names]
        return min(found, key=lambda form: (form[1].lut or 0) + self._worth * (form[1].bram18 or 0))

    def _open(self, lanes: int, channels: int, acc: IntType, spacing: int) -> list[str]:
        """The forms that are open where the style is auto; of forms that cost the same the first is taken."""
        compared = self.levels < 3 or self.comparable(lanes, channels)
        serial = self.levels > 1 and self._has_turns(lanes, channels, acc, spacing)
        return ["compare"] * compared + ["search"] * (self.levels >= 3) + ["serial"] * serial

    def _has_turns(self, lanes: int, channels: int, acc: IntType, spacing: int) -> bool:
        """Whether one comparator has done all steps before the next argument comes."""
        return spacing >= self.search.steps * self.pace(lanes, channels, acc)

    def _comparing(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """A comparator per threshold and lane, their count, and a memory of thresholds of the argument's width."""
        count = cost.popcount_luts(self.levels)
        if self.uniform_step is None:
            count = cost.adder_tree_luts(self.levels, self.dtype.bits)
        per_lane = self.levels * cost.comparator_luts(acc.bits) + count
        per_lane += self.dtype.bits if self.bases[0] and not self.dtype.bipolar else 0
        params = self.loop_memories("compare", lanes, channels, acc)
        return params + Resources(lut=ceil(lanes * per_lane), ff=lanes * (self.levels + self.dtype.bits))

    def _searching(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """Per lane and step a comparator and a memory, twice as deep from step to step; a table of results where steps differ.

        Argument and path wait in two registers per step.
        """
        steps = self.search.steps
        luts = steps * cost.comparator_luts(acc.bits)
        if self.search.results is None:
            luts += self.dtype.bits if self.bases[0] and not self.dtype.bipolar else 0
        own = Resources(lut=ceil(luts), ff=2 * steps * (acc.bits + steps) + self.dtype.bits)
        return own.times(lanes) + self.loop_memories("search", lanes, channels, acc)

    def loop_memories(self, form: str, lanes: int, channels: int, acc: IntType) -> Resources:
        """The memories of all lanes where loops read them, each in what is cheaper for itself; of form compare or search."""
        search, rows, own_base = self.search, self._rows(lanes, channels), self.bases[1]
        if form == "compare":
            stepped = self.levels if self.step.shape[0] > 1 else 0
            widths = [acc.bits * self.levels, self.dtype.bits * stepped, self.dtype.bits * own_base]
            return cost.parameters(self.channels, lanes, channels, widths, self._worth)
        parts = [
            cost.memory(rows << k, acc.bits, self.stored(rows << k, acc.bits, first=k == 0), constant=True)
            for k in range(search.steps)
        ]
        if search.results is not None:
            parts.append(cost.constants(rows << search.steps, self.dtype.bits, self._worth))
        else:
            parts.append(cost.constants(rows, self.dtype.bits * own_base, self._worth))
        return Resources.total(parts).times(lanes)

    def _in_turn(self, lanes: int, channels: int, acc: IntType) -> Resources:
        """Per lane a comparator, a memory of all keys and, where steps differ, one of results, the argument, two paths.

        The marks of what is in flight are shared.
        """
        depth, style = self.turned_memory(lanes, channels, acc)
        steps = self.search.steps
        parts = [pipeline.deep_rom(depth, acc.bits, style)]
        any_base, _ = self.bases
        luts = cost.comparator_luts(acc.bits)
        if self.tabled:
            parts.append(pipeline.deep_rom(depth, self.dtype.bits, style))
        else:
            luts += self.dtype.bits if any_base else 0
        behind = acc.bits + self.dtype.bits * self.tabled if self.pace(lanes, channels, acc) == LATE_PACE else 0
        parts.append(Resources(lut=ceil(luts), ff=acc.bits + 2 * steps + self.dtype.bits * (not self.tabled) + behind))
        shared = Resources(lut=SERIAL_CONTROL, ff=self._turns(lanes, channels, acc))
        return Resources.total(parts).times(lanes) + shared

    def apply(self, acc: Array) -> Array:
        if acc.dtype.kind != "f":
            acc = acc.astype(np.int64, copy=False)
        # Thresholds beyond float32's exact integers must be compared in a type that holds them.
        values = self.values.astype(acc.dtype)
        if acc.dtype == np.float32 and not np.array_equal(values.astype(np.int64), self.values):
            acc, values = acc.astype(np.float64), self.values.astype(np.float64)
        if self.levels > _COMPARED:
            return self._counted(acc, values)
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

    def _counted(self, acc: Array, values: Array) -> Array:
        """The results by a search in each channel's thresholds, which are ascending."""
        walk = np.concatenate(
            [self.base[:, None], self.base[:, None] + np.cumsum(np.broadcast_to(self.step, values.shape), axis=1)],
            axis=1,
        )
        out = np.empty(acc.shape, np.float32)
        for c in range(self.channels):
            own = (..., slice(None) if self.channels == 1 else c)
            out[own] = walk[c][np.searchsorted(values[c], acc[own], side="right")]
        return out
