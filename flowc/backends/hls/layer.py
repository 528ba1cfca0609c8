"""What a writer says of one unit, ready for the templates: types, numbers, memories, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowc.model.dtypes import IntType
from flowc.units import Unit
from flowc.units.cost import memory_style

__all__ = ["SAFE_DISTANCE", "Constant", "Layer", "Memory", "element", "word"]

SAFE_DISTANCE = 8
"""Cycles between a write to a memory and the read of the same word from which on no pipeline can confuse them."""


def element(dtype: IntType) -> str:
    """The C++ element type of an integer type."""
    if dtype.bipolar:
        return "flowc::Bipolar"
    return f"flowc::{'SInt' if dtype.signed else 'UInt'}<{dtype.bits}>"


def word(bits: int) -> str:
    """The C++ type of a beat of so many bits."""
    return f"ap_uint<{bits}>"


class Constant(NamedTuple):
    """A constant array or object of a layer's parameter header.

    Attributes:
        cpp_type: C++ type, without array bounds.
        name: variable.
        bounds: array bounds; empty for an object.
        initializer: C++ initializer without the outer braces.
        about: what it holds, in which order, of how many bits.
        code: C++ instead of an array: a type that works on the constants before it.
    """

    cpp_type: str
    name: str
    bounds: tuple[int, ...]
    initializer: str
    about: str
    code: str = ""


class Memory(NamedTuple):
    """A memory that a layer reads and writes, a whole word at a time.

    Attributes:
        name: C++ variable.
        cpp_type: type of a word.
        bits: bits of a word.
        bounds: (words,).
        distance: least number of cycles between the write of a word and its reading.
        style: auto, lutram, bram or uram.
        about: what it holds.
    """

    name: str
    cpp_type: str
    bits: int
    bounds: tuple[int]
    distance: int
    style: str = "auto"
    about: str = ""

    @property
    def pragmas(self) -> list[str]:
        """Registers where a word returns too soon for a memory, else a simple dual-port memory.

        What the loop may assume of accesses to the same word stands in the loop, where the tool checks it.
        """
        if self.distance < SAFE_DISTANCE or self.words == 1:
            return [f"ARRAY_PARTITION variable = {self.name} type = complete"]
        style = memory_style(self.words, self.bits) if self.style == "auto" else self.style
        return [f"BIND_STORAGE variable = {self.name} type = ram_s2p impl = {style}"]

    @property
    def words(self) -> int:
        """Words."""
        return self.bounds[0]


@dataclass(frozen=True)
class Layer:
    """One unit as C++.

    Attributes:
        unit: the unit; its name is the C++ name of the layer.
        template: file below ``hls/units/`` that writes the function's body.
        includes: unit headers.
        types: (name, C++ type) of the layer's struct.
        numbers: (name, value, remark) of the layer's struct.
        constants: parameters.
        memories: memories that the function declares.
        pragmas: pragmas of the function about its constants.
        values: what else the template needs.
    """

    unit: Unit
    template: str
    includes: tuple[str, ...]
    types: tuple[tuple[str, str], ...] = ()
    numbers: tuple[tuple[str, int, str], ...] = ()
    constants: tuple[Constant, ...] = ()
    memories: tuple[Memory, ...] = ()
    pragmas: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """C++ name of the layer's function."""
        return self.unit.name
