"""What the serial line of a board costs, which is on the chip beside the accelerator."""

from __future__ import annotations

from flowc.dataflow.allocate.device import gathered, in_cells
from flowc.interface.wire import HostPort
from flowc.targets import Target
from flowc.units import pipeline
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow

__all__ = ["line_resources"]

_LUTS, _FFS, _BLOCKS = 478, 250, 2
"""Of the line, whatever its widths, and the board's reset: measured by yosys 0.70 on ECP5, which takes up to 45 tables more than iCE40."""

_LUTS_PER_BIT, _FFS_PER_BIT = 5, 2
"""Per bit of the two counters that count clock cycles, of receiver and sender."""


def line_resources(graph: Dataflow, target: Target, clock_mhz: float) -> Resources | None:
    """What ``flowc_link`` and the board's reset take of the target's resources, or None where flowc writes no board for it.

    Bytes from the line become beats of the input, and beats of the output bytes: that is what grows with the widths.
    Look-up tables are those of the part, with 4 inputs.
    """
    if not target.has_board or target.baud is None:
        return None
    cycles = max(2, round(clock_mhz * 1e6 / target.baud))
    bits = (cycles - 1).bit_length()
    wide = [pipeline.converter(8, 1, HostPort.of(port).stream_bytes, delay=1) for port in graph.inputs]
    wide += [pipeline.converter(8, HostPort.of(port).stream_bytes, 1, delay=1) for port in graph.outputs]
    own = Resources(_LUTS + _LUTS_PER_BIT * bits, _FFS + _FFS_PER_BIT * bits)
    blocks = Resources(bram18=_BLOCKS) if target.has_lutram else Resources(ice40_ebrs=_BLOCKS)
    return in_cells(gathered([own, blocks, *wide]), target)
