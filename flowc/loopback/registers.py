"""The engine's registers on its control port (s_axilite): where the driver finds what the top function takes and gives.

They are laid out as Vitis HLS does (UG1399, S_AXILITE Control Register Map): control in front, 64 bits for a pointer and 32 for a number,
each with a reserved word behind. The generated pragmas state each offset, so that both sides have them from here.
"""

from __future__ import annotations

__all__ = ["ARGUMENTS", "CONTROL", "REGISTERS", "RETURN"]

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
