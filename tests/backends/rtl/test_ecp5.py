"""Registers that move into ECP5's block RAMs and multipliers: which do, which must not, and that the netlist computes the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from flowc.backends.rtl.ecp5 import absorb_registers

CLOCK, ENABLE, OTHER = 2, 3, 4


def register(d: int, q: int, **changes: Any) -> dict[str, Any]:
    parameters = {"CEMUX": "CE", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}
    connections = {"CE": [ENABLE], "CLK": [CLOCK], "DI": [d], "LSR": ["0"], "Q": [q]}
    parameters |= {k: v for k, v in changes.items() if k in parameters}
    connections |= {k: [v] for k, v in changes.items() if k in connections}
    return cell("TRELLIS_FF", parameters, connections, "Q")


def cell(kind: str, parameters: dict[str, str], connections: dict[str, list[Any]], *outputs: str) -> dict[str, Any]:
    directions = {p: "output" if p.startswith(outputs) else "input" for p in connections}
    return {"type": kind, "parameters": parameters, "port_directions": directions, "connections": connections}


def memory(width: int = 18, bits: int = 3) -> dict[str, Any]:
    """A memory whose port B gives bits 100, 101, ... ."""
    parameters = {"DATA_WIDTH_B": f"{width:032b}", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "CLKBMUX": "CLKB"}
    ports: dict[str, list[Any]] = {"CLKA": ["0"], "CLKB": [CLOCK], "RSTA": ["0"], "RSTB": ["0"], "OCEB": ["1"]}
    names = [f"DO{half}{i}" for half in ("AB" if width == 36 else "B") for i in range(18)]
    ports |= {name: [100 + i] for i, name in enumerate(names[:bits])}
    return cell("DP16KD", parameters, ports, "DO")


def netlist(**cells: Any) -> dict[str, Any]:
    ports = {"out": {"direction": "output", "bits": [200, 201, 202]}}
    return {"modules": {"top": {"cells": cells, "ports": ports}}}


def behind(**changes: Any) -> dict[str, Any]:
    """A register behind each of the three bits; the last one changed."""
    return {f"r{i}": register(100 + i, 200 + i, **(changes if i == 2 else {})) for i in range(3)}


@pytest.mark.parametrize("width", [18, 36])
def test_registers_behind_a_memory_become_its_own(width: int) -> None:
    found = netlist(ram=memory(width), **behind())
    assert absorb_registers(found) == 1
    (ram,) = found["modules"]["top"]["cells"].values()
    assert ram["parameters"]["REGMODE_B"] == "OUTREG"
    assert ram["parameters"]["REGMODE_A"] == ("OUTREG" if width == 36 else "NOREG")
    assert ram["connections"]["OCEB"] == [ENABLE]
    half = "A" if width == 36 else "B"
    assert [ram["connections"][f"DO{half}{i}"] for i in range(3)] == [[200], [201], [202]]


def test_an_inverted_enable_gets_an_inverter() -> None:
    inverted = {f"r{i}": register(100 + i, 200 + i, CEMUX="INV") for i in range(3)}
    found = netlist(ram=memory(), **inverted)
    assert absorb_registers(found) == 1
    cells = found["modules"]["top"]["cells"]
    (table,) = [c for c in cells.values() if c["type"] == "LUT4"]
    assert table["connections"]["A"] == [ENABLE]
    assert cells["ram"]["connections"]["OCEB"] == table["connections"]["Z"]
    assert table["connections"]["Z"][0] > 202
    # The table gives 1 where its lowest input is 0.
    values = [int(bit) for bit in reversed(table["parameters"]["INIT"])]
    assert (values[0b0000], values[0b0001]) == (1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"CE": OTHER}, {"CLK": OTHER}, {"LSR": OTHER}, {"CEMUX": "INV"}, {"CLKMUX": "INV"}, {"REGSET": "SET"}, {"DI": 7},
    ],
    ids=str,
)  # fmt: skip
def test_registers_that_differ_stay(changes: dict[str, Any]) -> None:
    found = netlist(ram=memory(), **behind(**changes))
    if "DI" in changes:  # the bit goes elsewhere
        found["modules"]["top"]["cells"]["logic"] = cell("LUT4", {}, {"A": [102], "Z": [7]}, "Z")
    before = copy.deepcopy(found)
    assert absorb_registers(found) == 0
    assert found == before


def test_a_bit_that_is_read_twice_or_leaves_stays() -> None:
    for more in ({"logic": cell("LUT4", {}, {"A": [101], "Z": [300]}, "Z")}, {}):
        found = netlist(ram=memory(), **behind(), **more)
        if not more:
            found["modules"]["top"]["ports"]["out"]["bits"].append(101)
        before = copy.deepcopy(found)
        assert absorb_registers(found) == 0
        assert found == before


def multiplier(**changes: Any) -> dict[str, Any]:
    """Inputs from bits 10 and 20, a product of two bits to 100 and 101."""
    ports: dict[str, list[Any]] = {f"{side}{i}": ["0"] for side in "AB" for i in range(18)}
    ports |= {"A0": [10], "A1": [10], "B0": [20], "P0": [100], "P1": [101]} | {k: [v] for k, v in changes.items()}
    return cell("MULT18X18D", {}, ports, "P")


def around() -> dict[str, Any]:
    before = {"a": register(30, 10), "b": register(40, 20, CE=OTHER)}
    return before | {"r0": register(100, 200), "r1": register(101, 201)}


def test_registers_around_a_multiplier_become_its_own() -> None:
    found = netlist(mult=multiplier(), **around())
    assert absorb_registers(found) == 3
    cells = found["modules"]["top"]["cells"]
    assert set(cells) == {"mult", "a", "b"}  # others may read what comes in
    ports, parameters = cells["mult"]["connections"], cells["mult"]["parameters"]
    assert [ports[p] for p in ("A0", "A1", "B0", "P0", "P1")] == [[30], [30], [40], [200], [201]]
    clocks = [parameters[f"REG_{which}_CLK"] for which in ("INPUTA", "INPUTB", "OUTPUT")]
    assert clocks == ["CLK0"] * 3
    enables = [ports[parameters[f"REG_{which}_CE"]] for which in ("INPUTA", "INPUTB", "OUTPUT")]
    assert enables == [[ENABLE], [OTHER], [ENABLE]]


def test_an_input_without_register_keeps_both() -> None:
    cells = around()
    del cells["b"]
    found = netlist(mult=multiplier(), **cells)
    assert absorb_registers(found) == 1
    parameters = found["modules"]["top"]["cells"]["mult"]["parameters"]
    assert {key for key in parameters if key.endswith("_CLK")} == {"REG_OUTPUT_CLK"}
    assert found["modules"]["top"]["cells"]["mult"]["connections"]["A0"] == [10]


def undriven(found: dict[str, Any]) -> set[int]:
    """Wires that some cell reads and none gives."""
    cells = found["modules"]["top"]["cells"].values()
    ports = [(bits, c["port_directions"][port]) for c in cells for port, bits in c["connections"].items()]
    given = {bit for bits, direction in ports if direction == "output" for bit in bits}
    read = {bit for bits, direction in ports if direction == "input" for bit in bits if isinstance(bit, int)}
    return read - given - {CLOCK, ENABLE, OTHER}


@pytest.mark.parametrize("first", ["memory", "multiplier"])
def test_a_register_between_a_memory_and_a_multiplier_becomes_the_memorys(first: str) -> None:
    between = {f"r{i}": register(100 + i, 20 + i) for i in range(3)}
    ports = {"A0": 10, "A1": 10, "B0": 20, "B1": 21, "B2": 22, "P0": 110, "P1": 111}
    blocks = {"ram": memory(), "mult": multiplier(**ports)}
    order = blocks if first == "memory" else dict(reversed(blocks.items()))
    others = {"a": register(30, 10), "s": register(110, 200), "t": register(111, 201)}
    found = netlist(**order, **between, **others, x=cell("LUT4", {}, {"Z": [30]}, "Z"))
    assert undriven(found) == set()
    assert absorb_registers(found) == 2
    cells = found["modules"]["top"]["cells"]
    assert set(cells) == {"ram", "mult", "a", "x"}
    assert cells["ram"]["parameters"]["REGMODE_B"] == "OUTREG"
    assert undriven(found) == set()


def test_a_register_between_two_multipliers_becomes_that_of_one() -> None:
    one = multiplier()
    two = multiplier(A0=200, A1=201, B0=21, P0=300, P1=301)
    source = cell("LUT4", {}, {"Z": [30, 40, 41]}, "Z")
    found = netlist(one=two, two=one, **around(), c=register(41, 21), x=source)
    assert undriven(found) == set()
    absorb_registers(found)
    assert undriven(found) == set()


def banks(**changes: Any) -> dict[str, Any]:
    """A bit of two memories, chosen by a register's bit 50; behind the table, which gives bit 60, a register."""
    cells: dict[str, Any] = {f"ram{i}": memory(bits=1) for i in range(2)}
    cells["ram1"]["connections"]["DOB0"] = [110]
    cells["select"] = register(40, 50, **changes)
    cells["choose"] = cell("LUT4", {"INIT": "0"}, {"A": [100], "B": [110], "C": [50], "D": ["0"], "Z": [60]}, "Z")
    return cells | {"behind": register(60, 200)}


def test_registers_move_in_front_of_the_multiplexer_of_banks() -> None:
    found = netlist(**banks())
    assert absorb_registers(found) == 2
    cells = found["modules"]["top"]["cells"]
    assert "behind" not in cells
    table, given = cells["choose"]["connections"], [cells[f"ram{i}"]["connections"]["DOB0"] for i in range(2)]
    assert [table["A"], table["B"], table["Z"]] == [*given, [200]]
    assert [cells[f"ram{i}"]["parameters"]["REGMODE_B"] for i in range(2)] == ["OUTREG"] * 2
    # What selects is a cycle later too.
    (later,) = [
        c["connections"] for c in cells.values() if c["type"] == "TRELLIS_FF" and c["connections"]["DI"] == [50]
    ]
    assert (later["Q"], later["CE"]) == (table["C"], [ENABLE])


@pytest.mark.parametrize("change", [{"CE": OTHER}, {"LSR": OTHER}, {"REGSET": "SET"}], ids=str)
def test_registers_behind_banks_that_move_otherwise_than_what_selects_stay(change: dict[str, Any]) -> None:
    found = netlist(**banks(**change))
    before = copy.deepcopy(found)
    assert absorb_registers(found) == 0
    assert found == before


def test_registers_behind_banks_whose_words_go_elsewhere_stay() -> None:
    for port, bit in (("A", 110), ("A", 60)):
        found = netlist(**banks(), other=cell("CCU2C", {}, {port: [bit]}))
        before = copy.deepcopy(found)
        assert absorb_registers(found) == 0
        assert found == before
