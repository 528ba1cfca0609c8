"""What a status block costs: the registers beside the accelerator, and the high-water marks of its FIFOs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from flowc.dataflow.allocate.times import LEAST_DEPTH
from flowc.units.cost import Resources, comparator_luts, mux_luts
from flowc.units.graph import Dataflow

__all__ = ["StatusBlock", "mark", "mark_select", "register_block"]

_COUNTERS = 3
"""Counters of 32 bits per port: beats, waiting cycles, starved cycles."""


@dataclass(frozen=True)
class StatusBlock:
    """The registers that count what streams do (``flowc_status.v``), as the user asks for them.

    Attributes:
        marks: every FIFO keeps its high-water mark too.
    """

    marks: bool = False

    def resources(self, graph: Dataflow) -> Resources:
        """What the block takes of a device with look-up tables of 6 inputs; FIFOs that are not sized count as the least.

        The taps on the streams are wires. The port of the interconnect that reaches the registers belongs to the system, which is
        not in the model.
        """
        parts = [register_block(len(graph.inputs) + len(graph.outputs))]
        if self.marks:
            depths = [stream.depth or LEAST_DEPTH for stream in graph.streams]
            parts += [*map(mark, depths), mark_select(depths)]
        return Resources.total(parts)


def register_block(ports: int) -> Resources:
    """``flowc_status`` of so many ports.

    A table per bit of each counter; in the read multiplexer a table and a half per bit and port; three enables per port. The registers
    besides counters: the word that is read, the number of a FIFO, and six of handshakes and reset.
    """
    counters = _COUNTERS * ports + 1
    select = ceil(32 * _COUNTERS * ports / 2)
    return Resources(lut=32 * counters + select + _COUNTERS * ports + 80, ff=32 * counters + 32 + 16 + 6)


def mark(depth: int) -> Resources:
    """``flowc_mark`` of a FIFO of ``depth`` beats: what it holds now and the most so far, two sums and a comparison of them."""
    bits = _mark_bits(depth)
    return Resources(lut=2 * bits + ceil(comparator_luts(bits)) + 2, ff=2 * bits)


def mark_select(depths: Iterable[int]) -> Resources:
    """The multiplexer that gives one FIFO's mark, and its register."""
    bits = [_mark_bits(depth) for depth in depths]
    widest = max(bits, default=0)
    return Resources(lut=sum(mux_luts(sum(b > bit for b in bits)) for bit in range(widest)), ff=widest)


def _mark_bits(depth: int) -> int:
    """Bits of a mark: as many as count to the depth and two beats more."""
    return (depth + 2).bit_length()
