"""What a frame moves between the accelerator and the external memory, and the cycles that takes at least."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from flowc.dataflow.allocate.layers import Layer
from flowc.dataflow.interface.weights import weight_ports
from flowc.targets import Target
from flowc.units import Mvtu, Vvtu
from flowc.units.graph import Dataflow

__all__ = ["PORT_BITS", "brought_bits", "least_brought_bits", "reader_cycles", "transfer_cycles"]

PORT_BITS = {"zynq-7000": 64, "zynq-ultrascale+": 128}
"""Bits per cycle, in each direction, of the processor's memory port that the generated block design uses (UG585, UG1085)."""


def least_brought_bits(layers: Sequence[Layer]) -> int:
    """Bits of weights that a frame reads from memory, for layers that are fixed to memory ``stream``, before they are folded."""
    return sum(
        layer.main.macs * layer.main.weight_type.bits
        for layer in layers
        if layer.fixed.get("memory") == "stream" and isinstance(layer.main, Mvtu | Vvtu)
    )


def brought_bits(graph: Dataflow) -> int:
    """The same of a folded graph, with what fills words of weights up in memory."""
    return 8 * sum(port.frame_bytes for port in weight_ports(graph))


def reader_cycles(graph: Dataflow) -> int:
    """Cycles per frame of the busiest reader of streamed weights: it sends at most 64 bytes in each."""
    return max((port.frame_bytes // port.reader_bytes for port in weight_ports(graph)), default=0)


def transfer_cycles(graph: Dataflow, target: Target, clock_mhz: float, weight_bits: int = 0) -> int:
    """Cycles that a frame's inputs, outputs and streamed weights take at least; 0 where no bandwidth is known.

    They share the peak bandwidth of the external memory. With streamed weights, the port to it counts too: one word of
    `PORT_BITS` per cycle and direction.
    """
    read, written = (
        sum(u.frame.elements * u.frame.dtype.bits for u in units) for units in (graph.inputs, graph.outputs)
    )
    read += weight_bits
    cycles = 0
    if target.ddr_gbps is not None:
        cycles = ceil((read + written) / 8 / (target.ddr_gbps * 1e9) * clock_mhz * 1e6)
    if weight_bits and target.family in PORT_BITS:
        cycles = max(cycles, ceil(read / PORT_BITS[target.family]))
    return cycles
