"""What a frame moves between the accelerator and the external memory, and the cycles that takes at least."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from flowc.dataflow.allocate.layers import Layer
from flowc.interface.memory import MEMORY_PORTS, crossing
from flowc.interface.weights import weight_ports
from flowc.interface.wire import boundary
from flowc.targets import Target
from flowc.units import Mvtu, Vvtu
from flowc.units.graph import Dataflow

__all__ = ["brought_bytes", "least_transfer_cycles", "reader_cycles", "transfer_cycles"]


def brought_bytes(graph: Dataflow) -> int:
    """Bytes of weights that a frame reads from memory, with what fills words up there."""
    return sum(port.frame_bytes for port in weight_ports(graph))


def reader_cycles(graph: Dataflow) -> int:
    """Cycles per frame of the busiest reader of streamed weights: it sends at most 64 bytes in each."""
    return max((port.frame_bytes // port.reader_bytes for port in weight_ports(graph)), default=0)


def least_transfer_cycles(graph: Dataflow, layers: Sequence[Layer], target: Target, clock_mhz: float) -> int:
    """Cycles that no folding can go below: the bits themselves, at the memory's peak bandwidth and over all of its ports."""
    read, written = (
        sum(u.frame.elements * u.frame.dtype.bits for u in units) for units in (graph.inputs, graph.outputs)
    )
    read += sum(
        layer.main.macs * layer.main.weight_type.bits
        for layer in layers
        if layer.fixed.get("memory") == "stream" and isinstance(layer.main, Mvtu | Vvtu)
    )
    cycles = _memory_cycles((read + written) / 8, target, clock_mhz)
    cycles = max(cycles, _line_cycles(max(read, written) / 8, target, clock_mhz))
    has = MEMORY_PORTS.get(target.family)
    return cycles if has is None else max(cycles, ceil(max(read, written) / (has.count * has.bits)))


def transfer_cycles(graph: Dataflow, target: Target, clock_mhz: float) -> int:
    """Cycles that a frame's inputs, outputs and streamed weights take at least; 0 where nothing of that is known.

    All bytes count that really move: a beat lies in memory as a power of two bytes. They share the peak bandwidth of the
    memory, and those of a memory port its width.

    Args:
        graph: folded.
        target: the board.
        clock_mhz: clock of the accelerator and of the memory ports.
    """
    ports = boundary(graph)
    moved = sum(port.frame_bytes if target.has_processor else port.beats * port.stream_bytes for port in ports)
    moved += brought_bytes(graph)
    line = max(sum(p.beats * p.stream_bytes for p in ports if p.is_input is way) for way in (True, False))
    memory = max(_memory_cycles(moved, target, clock_mhz), crossing(graph, target.family), reader_cycles(graph))
    return max(memory, _line_cycles(line, target, clock_mhz))


def _line_cycles(moved: float, target: Target, clock_mhz: float) -> int:
    """Cycles for so many bytes in one direction of the serial line; 0 where there is none.

    A byte takes ten bits; a block of 64 has a head and a check, and makes room for a later one by a byte (templates/rtl/link).
    """
    if target.baud is None:
        return 0
    bit = clock_mhz * 1e6 / target.baud
    return ceil(
        moved * 10 * 67 / 64 * max(bit, round(bit))
    )  # the chip counts whole cycles per bit, the host exact ones


def _memory_cycles(moved: float, target: Target, clock_mhz: float) -> int:
    """Cycles for so many bytes at the memory's peak bandwidth; 0 where it is not known."""
    return 0 if target.ddr_gbps is None else ceil(moved / (target.ddr_gbps * 1e9) * clock_mhz * 1e6)
