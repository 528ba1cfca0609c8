"""Cells of a netlist for ECP5, as yosys writes it (``write_json``)."""

from __future__ import annotations

from typing import Any

__all__ = ["Bit", "Cell", "Control", "control_of", "is_plain"]

Bit = int | str
"""Number of a wire, or the constant "0", "1" or "x"."""
Cell = dict[str, Any]
Control = tuple[Bit, Bit, bool]
"""Clock of a register, its enable, and whether it is enabled where that is 0."""


def is_plain(register: Cell) -> bool:
    """Whether a register takes a bit on each rising edge on which it is enabled, and knows no reset."""
    parameters, ports = register["parameters"], register["connections"]
    return bool(
        register["type"] == "TRELLIS_FF"
        and ports.get("LSR", ["0"]) == ["0"]
        and parameters.get("LSRMUX", "LSR") == "LSR"
        and parameters.get("CLKMUX", "CLK") == "CLK"
        and parameters.get("REGSET", "RESET") == "RESET"
    )


def control_of(register: Cell) -> Control:
    """What moves a register."""
    ports, mode = register["connections"], register["parameters"].get("CEMUX", "CE")
    enable = ["1"] if mode == "1" or "CE" not in ports else ports["CE"]
    return ports["CLK"][0], enable[0], mode == "INV"
