"""The frames of a boundary stream as the host sees them: bytes in memory.

The accelerator's AXI4-Stream port carries ``ceil(simd * bits / 8)`` bytes a beat. A DMA engine wants a power of two, so
in memory each beat is padded with zero bytes to the next one; two small Verilog modules of ``vivado/`` strip and add
them. Vivado design and driver both take their widths from here. A stream that is too much for one memory port is shared by
several DMA engines: each moves an equal part of every beat.
"""

from __future__ import annotations

from typing import NamedTuple

from flowc.errors import InfeasibleError
from flowc.interface.names import name_design
from flowc.model.dtypes import IntType
from flowc.units import InputPort
from flowc.units.graph import Dataflow
from flowc.units.port import Port

__all__ = ["DMA_LENGTH_BITS", "MOST_WAYS", "DmaEngine", "HostPort", "boundary", "crossing_cycles"]

DMA_LENGTH_BITS = 26
"""Bits of the DMA engine's length register (PG021: 8 to 26): a transfer has at most ``2**26 - 1`` bytes."""

MOST_WAYS = 4
"""DMA engines of a stream at most: as many as the modules have ports that part and join beats."""

_DMA_BYTES = 128  # widest AXI4-Stream of the AXI DMA: 1024 bits (PG021)
_STREAM_BYTES = 512  # widest AXI4-Stream of the width converter (PG085) and of an HLS stream: 4096 bits


class HostPort(NamedTuple):
    """One boundary stream and its widths.

    Attributes:
        name: the accelerator's stream (see `flowc.interface.names`), and what its DMA engine's name ends with.
        tensor: the model's integer tensor that it carries.
        is_input: from the host, else to the host.
        dtype: element type.
        elements: elements per frame.
        per_beat: elements per beat, element 0 in the least significant bits.
        ways: DMA engines that share it, each with an equal part of every beat in memory.
    """

    name: str
    tensor: str
    is_input: bool
    dtype: IntType
    elements: int
    per_beat: int
    ways: int = 1

    @staticmethod
    def of(unit: Port, name: str | None = None) -> HostPort:
        """The boundary stream of a port unit, whatever its width; called as the unit is unless it has a ``name`` of its own."""
        frame, is_input = unit.frame, isinstance(unit, InputPort)
        return HostPort(
            unit.name if name is None else name,
            unit.tensor,
            is_input,
            frame.dtype,
            frame.elements,
            unit.simd,
            unit.ways,
        )

    @property
    def stream_bytes(self) -> int:
        """Bytes of TDATA on the accelerator's port."""
        return -(-self.per_beat * self.dtype.bits // 8)

    @property
    def memory_bytes(self) -> int:
        """Bytes of a beat in memory: `stream_bytes` rounded up to a power of two."""
        return 1 << (self.stream_bytes - 1).bit_length()

    @property
    def part_bytes(self) -> int:
        """Bytes of a beat that each DMA engine moves."""
        return self.memory_bytes // self.ways

    @property
    def dma_bytes(self) -> int:
        """Bytes of TDATA on a DMA engine's port."""
        return min(self.part_bytes, _DMA_BYTES)

    @property
    def engines(self) -> list[DmaEngine]:
        """Its DMA engines, the first one with the least significant bytes of every beat."""
        return [DmaEngine(self, k) for k in range(self.ways)]

    @property
    def beats(self) -> int:
        """Beats per frame."""
        return self.elements // self.per_beat

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame in memory."""
        return self.beats * self.memory_bytes


class DmaEngine(NamedTuple):
    """The DMA engine of one part of a boundary stream's beats."""

    port: HostPort
    part: int

    @property
    def name(self) -> str:
        """What its cell is called, behind ``dma_``."""
        return self.port.name if self.port.ways == 1 else f"{self.port.name}_{self.part}"

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame that it moves."""
        return self.port.frame_bytes // self.port.ways


def crossing_cycles(unit: Port, bits: int) -> int:
    """Cycles per frame in which memory ports of so many bits, one for each DMA engine, move the beats of a port unit."""
    return -(-8 * HostPort.of(unit).frame_bytes // (bits * unit.ways))


def boundary(graph: Dataflow) -> list[HostPort]:
    """The boundary streams of `graph`: inputs, then outputs, each in order.

    Raises:
        InfeasibleError: a stream is wider than the widest AXI4-Stream there is (4096 bits), or a frame is longer than a
            DMA transfer can be.
    """
    ports, names = [], name_design(graph).ports
    for unit in (*graph.inputs, *graph.outputs):
        port = HostPort.of(unit, names[unit.name])
        if port.stream_bytes > _STREAM_BYTES:
            raise InfeasibleError(
                f"stream '{port.name}' carries {port.per_beat} elements of {port.dtype.bits} bits per cycle; "
                f"an AXI4-Stream holds at most {8 * _STREAM_BYTES} bits",
                remedy="Fold the first and last layer more (a lower --fps, or smaller SIMD and PE in --folding)",
            )
        if port.frame_bytes // port.ways >= 1 << DMA_LENGTH_BITS:
            raise InfeasibleError(
                f"a frame of stream '{port.name}' takes {port.frame_bytes} bytes; "
                f"a DMA transfer has at most {(1 << DMA_LENGTH_BITS) - 1}",
                remedy="Use a model with smaller inputs and outputs",
            )
        ports.append(port)
    return ports
