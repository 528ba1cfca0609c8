"""The engine seen from outside: its name, its memory ports, and its registers on the control port (s_axilite).

The registers are where the driver finds what the top function takes and gives, laid out as Vitis HLS does (UG1399, S_AXILITE Control
Register Map): control in front, 64 bits for a pointer and 32 for a number, each with a reserved word behind. The generated pragmas
state each offset, so that both sides have them from here.
"""

from __future__ import annotations

__all__ = ["ARGUMENTS", "BUNDLES", "CELL", "CONTROL", "REGISTERS", "RETURN", "TOP"]

TOP = "loopback_engine"
"""The top function, and the IP that is exported of it."""
CELL = "engine"
"""The IP's cell in the block design, which is what the driver looks for in a bitstream."""
BUNDLES = {"table": "gmem0", "weights": "gmem1", "acts": "gmem2", "results": "gmem3"}
"""The memory port (m_axi bundle) of each pointer: each its own, as processes of a dataflow region can't read through the same one."""

CONTROL = 0x00
"""ap_start is bit 0, ap_done bit 1, ap_idle bit 2."""
RETURN = 0x10
"""Commands done; fewer than asked for is an error."""
ARGUMENTS = {
    "table": 0x18,
    "weights": 0x24,
    "acts": 0x30,
    "results": 0x3C,
    "first": 0x48,
    "count": 0x50,
    "cycles": 0x58,
}
"""Arguments of the top function; the first four are addresses in 64 bits, the low word first."""
REGISTERS = {"control": CONTROL, "done": RETURN, **ARGUMENTS}
