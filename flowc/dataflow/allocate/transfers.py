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

__all__ = ["brought_bytes", "least_transfer_cycles", "line_latency", "reader_cycles", "transfer_cycles"]

_BLOCK = 64
_BESIDE = 3
"""Bytes of a block on the serial line, at most, and those that go with it: its head, its check, and what makes room for another
(templates/rtl/link)."""

_LINK_CYCLES = 40
"""From the line to the first unit and from the last one to the line: registers, queues and what makes beats of bytes."""


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
    cycles = max(cycles, _line_cycles(read / 8, written / 8, target, clock_mhz))
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
    memory = max(_memory_cycles(moved, target, clock_mhz), crossing(graph, target.family), reader_cycles(graph))
    return max(memory, _line_cycles(*_line_bytes(graph), target, clock_mhz))


def line_latency(graph: Dataflow, target: Target, clock_mhz: float) -> int:
    """Cycles that a frame's bytes, to the accelerator and from it, are on the serial line at most; 0 where there is none.

    A frame that comes alone: the last of its blocks may be short, and so may the first of its results, which does not wait for others.
    """
    if target.baud is None:
        return 0
    given, taken = _line_bytes(graph)
    arriving, leaving = _byte_cycles(target.baud, clock_mhz)
    spent = (given + _BESIDE * ceil(given / _BLOCK)) * arriving
    spent += (taken + _BESIDE * ceil(taken / _BLOCK) + 2) * leaving
    return ceil(spent) + _LINK_CYCLES


def _line_bytes(graph: Dataflow) -> tuple[int, int]:
    """Bytes of a frame to the accelerator and from it: each beat is filled up to whole ones."""
    into, out = (sum(p.beats * p.stream_bytes for p in boundary(graph) if p.is_input is way) for way in (True, False))
    return into, out


def _byte_cycles(baud: int, clock_mhz: float) -> tuple[float, float]:
    """Cycles of a byte, ten bits, to the chip and from it.

    The host's bits are exact; the chip's are whole cycles, and one more passes before its next byte.
    """
    bit = clock_mhz * 1e6 / baud
    return 10 * max(bit, round(bit)), max(10 * bit, 10 * round(bit) + 1)


def _line_cycles(given: float, taken: float, target: Target, clock_mhz: float) -> int:
    """Cycles for so many bytes to the accelerator, and as many from it at the same time; 0 where there is no serial line."""
    if target.baud is None:
        return 0
    arriving, leaving = _byte_cycles(target.baud, clock_mhz)
    return ceil(max(given * arriving, taken * leaving) * (_BLOCK + _BESIDE) / _BLOCK)


def _memory_cycles(moved: float, target: Target, clock_mhz: float) -> int:
    """Cycles for so many bytes at the memory's peak bandwidth; 0 where it is not known."""
    return 0 if target.ddr_gbps is None else ceil(moved / (target.ddr_gbps * 1e9) * clock_mhz * 1e6)
