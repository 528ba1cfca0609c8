"""A table of vectors indexed by integers: embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost
from flowc.units.base import Array, Frame, Unit, divisors
from flowc.units.cost import Resources
from flowc.units.schedule import Schedule, every, grid
from flowc.units.sound import array_faults

__all__ = ["Lookup"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(Unit):
    """Every element i of the input becomes the row ``table[clip(i - first, 0, V - 1)]``, in stream order.

    Input frame: any; output: a frame of D channels and as many pixels as the input has elements.

    Attributes:
        table: int64 (V, D).
        dtype: type of its entries.
        first: the index of row 0.
        out: output frame.
        pe: entries per cycle; divides D.
        memory: where the table is: auto, lutram or bram.
    Cycles: input elements * D / pe.
    """

    kind: ClassVar[str] = "lookup"
    frame: Frame
    table: Array
    dtype: IntType
    first: int = 0
    out: Frame
    pe: int = 1
    memory: str = "auto"

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (self.out,)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (1,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.pe,)

    @property
    def folds(self) -> int:
        """Cycles per index."""
        return int(self.table.shape[1]) // self.pe

    @property
    def cycles(self) -> int:
        return self.frame.elements * self.folds

    @property
    def stages(self) -> int:
        """Row, address, memory, the register behind it, result."""
        return 5

    def schedule(self) -> Schedule:
        """An index is taken in the first cycle of its row; every cycle gives a beat."""
        return Schedule(self.cycles, (grid((self.frame.elements, self.folds)),), (every(self.cycles),))

    @property
    def table_memory(self) -> tuple[int, int]:
        """(words, bits per word) of the table: one word holds the ``pe`` entries of a cycle."""
        return (int(self.table.shape[0]) * self.folds, self.pe * self.dtype.bits)

    @property
    def table_rows(self) -> Array:
        """The table as the unit reads it, (words, pe)."""
        return self.table.reshape(-1, self.pe)

    @property
    def resources(self) -> Resources:
        """The table, the limits of the index and its address, control."""
        bits = self.frame.dtype.bits
        address = (self.table_memory[0] - 1).bit_length()
        own = Resources(
            lut=cost.CONTROL + ceil(2 * cost.comparator_luts(bits)) + bits + address,
            ff=bits + address + 2 * self.pe * self.dtype.bits,
        )
        return cost.weight_rom(*self.table_memory, self.memory) + own

    def folding(self) -> dict[str, list[int]]:
        return {"pe": divisors(int(self.table.shape[1]))}

    def styles(self) -> dict[str, list[str]]:
        return {"memory": ["auto", "lutram", "bram"]}

    def unsound(self) -> list[str]:
        found = array_faults("table", self.table, [None, None], self.dtype)
        if not found and (self.out.c != self.table.shape[1] or self.out.pixels != self.frame.elements):
            found.append(f"{self.frame.elements} rows of {self.table.shape[1]} entries in a frame of {self.out.shape}")
        if self.memory not in self.styles()["memory"]:
            found.append(f"there is no memory '{self.memory}'")
        return found

    def faults(self) -> list[str]:
        return self.divides("pe", int(self.table.shape[1]), "the entries of a row")

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        (x,) = xs
        rows = np.clip(x.reshape(len(x), -1).astype(np.int64) - self.first, 0, len(self.table) - 1)
        return (self.table[rows].reshape(len(x), *self.out.shape),)
