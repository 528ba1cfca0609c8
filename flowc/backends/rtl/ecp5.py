"""Registers inside of ECP5's block RAMs and multipliers: those beside them in the netlist move into the blocks.

Without its output register a block RAM gives a word 5.8 ns after the clock's edge (speed grade 6), with it after one; a multiplier takes
3.9 ns, and wires to and from it. That is what stands between 110 MHz and more in every unit that has one. Yosys 0.70 uses neither, so
this does, between synthesis and place and route. FPGA-TN-02204 describes the memory's register (REGMODE, enabled by OCE),
FPGA-TN-02205 the multiplier's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowc.backends.rtl.ecp5_banks import move_before_multiplexers
from flowc.backends.rtl.ecp5_cells import Bit, Cell, Control, control_of, is_plain

__all__ = ["absorb_registers", "use_block_registers"]


def use_block_registers(path: Path) -> int:
    """`absorb_registers` in a file that yosys wrote (``write_json``)."""
    netlist = json.loads(path.read_text(encoding="utf-8"))
    count = absorb_registers(netlist)
    path.write_text(json.dumps(netlist), encoding="utf-8")
    return count


def absorb_registers(netlist: Mapping[str, Any]) -> int:
    """Moves registers into block RAMs and multipliers.

    Registers at a block's output move if every bit that is read goes into one of them and nowhere else, those at a multiplier's inputs
    if every bit comes out of one. All of them have one clock and one enable, take a bit in each enabled cycle, and know no reset.

    Args:
        netlist: of yosys' ``write_json``; changed in place.

    Returns:
        How many ports of blocks have got registers.
    """
    for module in netlist["modules"].values():
        move_before_multiplexers(module)
    return sum(_Module(module).absorb() for module in netlist["modules"].values())


@dataclass
class _Module:
    """A module of a netlist: its cells, who reads each bit, and which register drives it."""

    module: Mapping[str, Any]
    readers: dict[Bit, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    drivers: dict[Bit, str] = field(default_factory=dict)
    inverters: dict[Bit, int] = field(default_factory=dict)

    @property
    def cells(self) -> dict[str, Cell]:
        found: dict[str, Cell] = self.module["cells"]
        return found

    def absorb(self) -> int:
        """Memories take theirs first: a register between a memory and a multiplier saves more time behind the memory."""
        memories, multipliers = (
            [name for name, cell in self.cells.items() if cell["type"] == kind] for kind in ("DP16KD", "MULT18X18D")
        )
        if not memories and not multipliers:
            return 0
        self._index()
        return sum(self._memory(self.cells[name]) for name in memories) + sum(map(self._multiplier, multipliers))

    def _index(self) -> None:
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] != "output":
                    for bit in bits:
                        self.readers[bit].append((name, port))
            if cell["type"] == "TRELLIS_FF" and is_plain(cell):
                self.drivers[cell["connections"]["Q"][0]] = name
        for port in self.module["ports"].values():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    self.readers[bit].append(("", ""))

    def _memory(self, cell: Cell) -> int:
        """A memory of 36 bits reads over both ports with the clock of the second; others have two ports of their own."""
        if int(cell["parameters"]["DATA_WIDTH_B"], 2) == 36:
            return self._read_port(cell, "AB", "B")
        return self._read_port(cell, "A", "A") + self._read_port(cell, "B", "B")

    def _read_port(self, cell: Cell, halves: str, side: str) -> int:
        ports, parameters = cell["connections"], cell["parameters"]
        if parameters.get(f"CLK{side}MUX") not in (None, f"CLK{side}") or ports.get(f"RST{side}", ["0"]) != ["0"]:
            return 0
        found = self._behind(cell, [f"DO{half}{i}" for half in halves for i in range(18)])
        if found is None or ports[f"CLK{side}"] != [found[0][0]]:
            return 0
        control, read = found
        parameters |= {f"REGMODE_{half}": "OUTREG" for half in halves}
        ports[f"OCE{side}"] = [self._enable(control)]
        self._take_over(cell, read)
        return 1

    def _multiplier(self, name: str) -> int:
        cell = self.cells[name]
        inputs = [self._before(cell, [f"{side}{i}" for i in range(18)]) for side in "AB"]
        found = self._behind(cell, [f"P{i}" for i in range(36)])
        clocks = {control[0] for control in inputs if control is not None}
        if found is not None and clocks <= {found[0][0]}:
            control, read = found
            self._register(cell, "OUTPUT", 2, control)
            self._take_over(cell, read)
        else:
            found = None
        if len(clocks) != 1 or None in inputs or (found is not None and found[0][0] not in clocks):
            return int(found is not None)
        for place, (side, own) in enumerate(zip("AB", inputs, strict=True)):
            assert own is not None
            self._register(cell, f"INPUT{side}", place, own)
            for i in range(18):
                (bit,) = cell["connections"][f"{side}{i}"]
                if bit in self.drivers:
                    cell["connections"][f"{side}{i}"] = before = self.cells[self.drivers[bit]]["connections"]["DI"]
                    self.readers[before[0]].append((name, f"{side}{i}"))
        return 2 + (found is not None)

    def _register(self, cell: Cell, which: str, place: int, control: Control) -> None:
        """Turns a multiplier's register on, enabled by wire ``CE<place>``."""
        cell["parameters"] |= {f"REG_{which}_CLK": "CLK0", f"REG_{which}_CE": f"CE{place}", f"REG_{which}_RST": "RST0"}
        wires = {"CLK0": control[0], f"CE{place}": self._enable(control), "RST0": "0"}
        cell["connections"] |= {port: [bit] for port, bit in wires.items()}
        cell["port_directions"] |= dict.fromkeys(wires, "input")

    def _behind(self, cell: Cell, outputs: Sequence[str]) -> tuple[Control, dict[str, str]] | None:
        """What the registers behind these outputs have in common, and the register of each output that is read; None: they can't move."""
        read: dict[str, str] = {}
        controls = set()
        for port in outputs:
            bits = cell["connections"].get(port)
            readers = self.readers.get(bits[0], []) if bits else []
            if not readers:
                continue
            name, to = readers[0]
            register = self.cells.get(name)
            if len(readers) > 1 or to != "DI" or register is None or not is_plain(register):
                return None
            read[port] = name
            controls.add(control_of(register))
        return (controls.pop(), read) if len(controls) == 1 else None

    def _before(self, cell: Cell, inputs: Sequence[str]) -> Control | None:
        """What the registers in front of these inputs have in common; None where some bit comes from elsewhere."""
        bits = [cell["connections"][port][0] for port in inputs]
        varying = [bit for bit in bits if isinstance(bit, int)]
        if not varying or not all(bit in self.drivers for bit in varying):
            return None
        controls = {control_of(self.cells[self.drivers[bit]]) for bit in varying}
        return controls.pop() if len(controls) == 1 else None

    def _take_over(self, cell: Cell, read: Mapping[str, str]) -> None:
        """The block gives what its registers gave, which are no more."""
        for port, name in read.items():
            cell["connections"][port] = given = self.cells.pop(name)["connections"]["Q"]
            del self.drivers[given[0]]

    def _enable(self, control: Control) -> Bit:
        """The wire that is 1 where the register is enabled."""
        _, enable, inverted = control
        if not inverted or not isinstance(enable, int):
            return ("1" if enable == "0" else "0") if inverted else enable
        if enable not in self.inverters:
            new = self.inverters[enable] = 1 + max(
                bit for cell in self.cells.values() for bits in cell["connections"].values() for bit in bits if isinstance(bit, int)
            )  # fmt: skip
            self.cells[f"$flowc$enable${new}"] = {
                "hide_name": 1, "type": "LUT4", "parameters": {"INIT": f"{0x5555:016b}"}, "attributes": {},
                "port_directions": dict.fromkeys("ABCD", "input") | {"Z": "output"},
                "connections": {"A": [enable], "B": ["0"], "C": ["0"], "D": ["0"], "Z": [new]},
            }  # fmt: skip
        return self.inverters[enable]
