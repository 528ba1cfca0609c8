"""What a writer says of one unit: the module that it is, its parameters, and the words of its memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import Array, Unit
from flowc.units.applied import value_bits
from flowc.units.cost import memory_style

__all__ = [
    "Bits",
    "Instance",
    "Memory",
    "Value",
    "constant_style",
    "delay",
    "kind",
    "pack_fields",
    "ram_style",
    "value_bits",
]


@dataclass(frozen=True)
class Bits:
    """A parameter of many bits: several numbers of ``width`` bits, the first in the least significant ones."""

    numbers: tuple[int, ...]
    width: int = 32


Value = int | str | bool | Bits
"""A parameter's value."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The contents of a memory of constants.

    Attributes:
        file: its file, relative to the project's folder.
        words: uint8 (words, bytes), least significant byte first.
        bits: bits of a word.
    """

    file: str
    words: Array
    bits: int

    @cached_property
    def text(self) -> str:
        """A line of hexadecimal digits per word, as ``$readmemh`` reads them."""
        width, digits = self.words.shape[1] * 2, ceil(self.bits / 4)
        flat = np.ascontiguousarray(self.words[:, ::-1]).tobytes().hex()
        lines = (flat[i + width - digits : i + width] for i in range(0, len(flat), width))
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, eq=False)
class Instance:
    """One unit as an instance of a module.

    Attributes:
        unit: the unit.
        module: ``flowc_<module>`` in ``units/``.
        parameters: the module's, by name.
        memories: files that it reads.
        weights: whether the module has a port for weights, used or not.
    """

    unit: Unit
    module: str
    parameters: Mapping[str, Value]
    memories: Sequence[Memory] = field(default=())
    weights: bool = False


def kind(dtype: IntType) -> int:
    """The encoding of a type's elements as the modules count them: 0 unsigned, 1 two's complement, 2 bipolar."""
    return 2 if dtype.bipolar else int(dtype.signed)


def delay(unit: Unit, cycles: int) -> int:
    """Registers at the end of a unit whose module takes ``cycles`` cycles, so that it takes as many as the unit says.

    The last cycle of `Unit.stages` is that of the place in front of the stream.
    """
    rest = unit.stages - 1 - cycles
    assert rest >= 0, f"{unit.kind} takes {cycles + 1} cycles, more than it says"
    return rest


def ram_style(style: str, depth: int, bits: int) -> str:
    """The modules' name of a written memory's style."""
    chosen = memory_style(depth, bits) if style == "auto" else style
    return {"lutram": "distributed", "srl": "distributed", "bram": "block", "uram": "ultra"}[chosen]


def constant_style(style: str, depth: int, bits: int) -> str:
    """The modules' name of a constant memory's style."""
    chosen = memory_style(depth, bits, constant=True) if style == "auto" else style
    return {"lutram": "logic", "bram": "block", "uram": "ultra", "stream": "stream"}[chosen]


def pack_fields(fields: Sequence[tuple[Array, int]]) -> tuple[Array, int]:
    """Words made of fields, the first in the least significant bits.

    Args:
        fields: (integers (rows, lanes, count), bits of each). A lane's fields follow each other, then comes the next lane.

    Returns:
        uint8 (rows, bytes), least significant byte first, and the bits of a word.
    """
    parts = []
    for values, bits in fields:
        rows, lanes, count = values.shape
        exploded = (values.astype(np.int64)[..., None] >> np.arange(bits)) & 1
        parts.append(exploded.astype(np.uint8).reshape(rows, lanes, count * bits))
    together = np.concatenate(parts, axis=2)
    flat = together.reshape(together.shape[0], -1)
    return np.packbits(flat, axis=1, bitorder="little"), flat.shape[1]
