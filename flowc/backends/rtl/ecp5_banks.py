"""Registers behind the multiplexer of a memory in several block RAMs of ECP5: they move in front of it, to each block and to what selects.

A memory of more words than a block has at its width lies in banks. Yosys chooses between their words behind the blocks, with the upper
bits of the address kept in registers, so that no register stands behind a block itself and none can become its own
(`flowc.backends.rtl.ecp5`). One that takes the chosen word can as well take the words: what is chosen from them in the next cycle, by the
selection of that cycle, is the same. This is retiming over a cone of look-up tables, for registers that one enable moves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowc.backends.rtl.ecp5_cells import Bit, Cell, Control, control_of, is_plain

__all__ = ["move_before_multiplexers"]

_LOGIC = ("LUT4", "PFUMX", "L6MUX21")
_DEEPEST = 4
"""Cells that a multiplexer's path has at most: what stands behind the registers afterwards."""
_MOST_SELECTING = 4
"""Bits that select, at most: a cone with more registers in front is no multiplexer of banks."""


def move_before_multiplexers(module: Mapping[str, Any]) -> int:
    """Moves registers from behind the multiplexers of banks to in front of them.

    Args:
        module: of yosys' ``write_json``; changed in place.

    Returns:
        How many multiplexers of one bit have been passed.
    """
    netlist = _Netlist(module)
    moved, seen = 0, set[Bit]()
    words = [bit for cell in netlist.cells.values() if cell["type"] == "DP16KD" for bit in _words(cell)]
    for bit in words:
        if bit not in seen and (region := netlist.region(bit)) is not None:
            seen |= region.words
            netlist.move(region)
            moved += 1
    return moved


def _words(cell: Cell) -> list[Bit]:
    """The bits that a block RAM gives."""
    return [bit for port, bits in cell["connections"].items() if port.startswith("DO") for bit in bits]


@dataclass
class _Region:
    """Blocks' bits, all logic that reads them, the registers behind it, and those in front of it that are not the blocks'."""

    words: set[Bit] = field(default_factory=set)
    logic: dict[str, int] = field(default_factory=dict)
    behind: set[str] = field(default_factory=set)
    selecting: set[Bit] = field(default_factory=set)


class _Netlist:
    """A module: who drives and who reads each bit."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.cells: dict[str, Cell] = module["cells"]
        self.readers: dict[Bit, list[tuple[str, str]]] = defaultdict(list)
        self.drivers: dict[Bit, str] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"][port] == "output":
                        self.drivers[bit] = name
                    else:
                        self.readers[bit].append((name, port))
        for port in module["ports"].values():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    self.readers[bit].append(("", ""))
        self.later: dict[tuple[Bit, Control], Bit] = {}
        self.next_bit = 1 + max((bit for bit in [*self.readers, *self.drivers] if isinstance(bit, int)), default=1)

    def region(self, word: Bit) -> _Region | None:
        """What reads a block's bit, and all that is bound up with it; None where something stands in the way."""
        region, waiting = _Region(), [(word, 0)]
        while waiting:
            bit, depth = waiting.pop()
            if self.cells[self.drivers[bit]]["type"] == "DP16KD":
                region.words.add(bit)
            for name, port in self.readers.get(bit, ()):
                cell = self.cells.get(name)
                if cell is not None and cell["type"] in _LOGIC and depth < _DEEPEST:
                    if region.logic.get(name, 0) < depth + 1:
                        region.logic[name] = depth + 1
                        waiting.append((cell["connections"]["Z"][0], depth + 1))
                        waiting += [(other, 0) for other in self._words_into(cell) - region.words]
                elif cell is not None and port == "DI" and is_plain(cell):
                    region.behind.add(name)
                else:
                    return None
        return region if self._sound(region) else None

    def _words_into(self, cell: Cell, depth: int = 1) -> set[Bit]:
        """Bits of block RAMs that reach a cell, also through others in front of it."""
        found: set[Bit] = set()
        for port, (bit,) in cell["connections"].items():
            driver = self.cells.get(self.drivers.get(bit, ""))
            if cell["port_directions"][port] == "output" or driver is None:
                continue
            if driver["type"] == "DP16KD":
                found.add(bit)
            elif driver["type"] in _LOGIC and depth < _DEEPEST:
                found |= self._words_into(driver, depth + 1)
        return found

    def _sound(self, region: _Region) -> bool:
        """Whether one enable moves all registers around the logic, and nothing else reaches into it."""
        controls: set[Control] = {control_of(self.cells[name]) for name in region.behind}
        taken = [self.cells[name]["connections"]["DI"][0] for name in region.behind]
        for name in region.logic:
            cell = self.cells[name]
            for port, (bit,) in cell["connections"].items():
                driver = self.drivers.get(bit, "")
                if (
                    cell["port_directions"][port] == "output"
                    or not isinstance(bit, int)
                    or bit in region.words
                    or driver in region.logic
                ):
                    continue
                if driver not in self.cells or not is_plain(self.cells[driver]):
                    return False
                region.selecting.add(bit)
                controls.add(control_of(self.cells[driver]))
        multiplexer = len(region.words) > 1 and 0 < len(region.selecting) <= _MOST_SELECTING
        return multiplexer and len(controls) == 1 and len(set(taken)) == len(taken)

    def move(self, region: _Region) -> None:
        """Registers at the blocks' bits and at what selects, instead of those behind."""
        like = self.cells[next(iter(region.behind))]
        renamed: dict[Bit, Bit] = {}
        for name in region.behind:
            ports = self.cells.pop(name)["connections"]
            renamed[ports["DI"][0]] = ports["Q"][0]
        held = {bit: self._held(like, bit) for bit in region.selecting}
        for name in region.logic:
            ports = self.cells[name]["connections"]
            for port, (bit,) in ports.items():
                ports[port] = [renamed.get(held.get(bit, bit), held.get(bit, bit))]
        for bit in region.words:
            given = self._new()
            block = self.cells[self.drivers[bit]]["connections"]
            for port, bits in block.items():
                if bits == [bit] and port.startswith("DO"):
                    block[port] = [given]
            self._register(like, given, renamed.get(bit, bit))

    def _held(self, like: Cell, bit: Bit) -> Bit:
        """What selects, a step later: one register for all multiplexers."""
        key = bit, control_of(like)
        if key not in self.later:
            self.later[key] = self._new()
            self._register(like, bit, self.later[key])
        return self.later[key]

    def _new(self) -> int:
        self.next_bit += 1
        return self.next_bit - 1

    def _register(self, like: Cell, taken: Bit, given: Bit) -> None:
        connections = like["connections"] | {"DI": [taken], "Q": [given]}
        self.cells[f"flowc$bank${given}"] = like | {"connections": connections}
