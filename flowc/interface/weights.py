"""Weights that come from the external memory: the streams that bring them, and what lies in memory.

A unit whose weights are not in the bitstream has a port for them. A small HLS block of its own, the reader, takes them from
memory and sends them there: for memory style ``uram`` once, for ``stream`` over and over. A word lies in memory as a power
of two bytes, as beats of inputs do (`flowc.interface.wire`). Between two runs of a reader the memory's latency passes;
short lists of words lie in memory several times over, so that this is little of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowc.errors import InfeasibleError
from flowc.interface.names import name_design
from flowc.interface.packing import pack_rows
from flowc.model.dtypes import IntType
from flowc.units import Array, Mvtu, Vvtu
from flowc.units.graph import Dataflow

__all__ = ["STREAM_BYTES", "WeightPort", "weight_ports"]

STREAM_BYTES = 512
"""Widest word: that of an HLS stream, 4096 bits (UG1399)."""

_READER_BYTES = 64  # widest AXI master of Vitis HLS that is not widened by request: 512 bits (UG1399)
_LEAST_BYTES = 4  # narrowest AXI master: 32 bits
_LEAST_RUN = 4096  # beats of a run of a reader that repeats


@dataclass(frozen=True, eq=False)
class WeightPort:
    """The stream that brings a unit's weights.

    Attributes:
        unit: the unit.
        name: the accelerator's port.
    """

    unit: Mvtu | Vvtu
    name: str

    @property
    def repeats(self) -> bool:
        """Whether the weights come again for every position; else they come once."""
        return self.unit.memory == "stream"

    @property
    def reader(self) -> str:
        """Name of the reader: its top function, IP and cell."""
        return f"read_{self.name}"

    @property
    def dtype(self) -> IntType:
        """Type of a weight."""
        return self.unit.weight_type

    @property
    def words(self) -> int:
        """Words of all weights."""
        return self.unit.weight_memory[0]

    @property
    def per_word(self) -> int:
        """Weights of a word, the first in the least significant bits."""
        return self.unit.weight_memory[1] // self.dtype.bits

    @property
    def positions(self) -> int:
        """How often all weights are read for one frame."""
        return self.unit.frame.pixels

    @property
    def stream_bytes(self) -> int:
        """Bytes of TDATA on the accelerator's port."""
        return -(-self.unit.weight_memory[1] // 8)

    @property
    def memory_bytes(self) -> int:
        """Bytes of a word in memory."""
        return max(_LEAST_BYTES, 1 << (self.stream_bytes - 1).bit_length())

    @property
    def reader_bytes(self) -> int:
        """Bytes that the reader takes from memory and sends in a cycle."""
        return min(_READER_BYTES, self.memory_bytes)

    @property
    def copies(self) -> int:
        """How often the words lie in memory, one after the other."""
        beats = self.words * self.memory_bytes // self.reader_bytes
        return -(-_LEAST_RUN // beats) if self.repeats else 1

    @property
    def beats(self) -> int:
        """Beats of one run of the reader."""
        return self.copies * self.words * self.memory_bytes // self.reader_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes read from memory for a frame, in steady state."""
        return self.positions * self.words * self.memory_bytes if self.repeats else 0

    @cached_property
    def data(self) -> Array:
        """The words once, uint8 (words, stream_bytes)."""
        return pack_rows(self.unit.weight_rows, self.dtype, self.stream_bytes)

    @property
    def image(self) -> Array:
        """The words once as they lie in memory, uint8 (words, memory_bytes)."""
        return np.pad(self.data, ((0, 0), (0, self.memory_bytes - self.stream_bytes)))


def weight_ports(graph: Dataflow) -> list[WeightPort]:
    """The streams that bring weights, in topological order.

    Raises:
        InfeasibleError: a word is wider than the widest stream there is.
    """
    names = name_design(graph).weights
    ports = [WeightPort(u, names[u.name]) for u in graph if isinstance(u, Mvtu | Vvtu) and u.name in names]
    for port in ports:
        if port.stream_bytes > STREAM_BYTES:
            raise InfeasibleError(
                f"layer '{port.unit.name}' reads {port.unit.weight_memory[1]} bits of weights per cycle; a stream brings "
                f"at most {8 * STREAM_BYTES}",
                remedy="Fold it more (smaller PE or SIMD), or keep its weights in lutram or bram",
            )
    return ports
