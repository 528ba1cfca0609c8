"""The processor's ports to the external memory: how many there are, how wide, and which streams share which.

Every port moves one word per clock cycle in each direction, reading and writing at once. A DMA engine, and a group of
readers of weights, uses one port; the block design uses as many ports as the streams need. A stream that needs more than one has
several DMA engines (`flowc.interface.wire`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from flowc.interface.weights import weight_ports
from flowc.interface.wire import DmaEngine, boundary
from flowc.units.graph import Dataflow

__all__ = ["MEMORY_PORTS", "READERS_PER_GROUP", "Bus", "MemoryPorts", "buses", "crossing"]

READERS_PER_GROUP = 16
"""Readers of weights that reach the memory together: the ports of a SmartConnect (PG247)."""


@dataclass(frozen=True)
class MemoryPorts:
    """What a family's processor has: a number of ports, and the bits that each moves per cycle and direction."""

    count: int
    bits: int


MEMORY_PORTS = {"zynq-7000": MemoryPorts(4, 64), "zynq-ultrascale+": MemoryPorts(4, 128)}
"""High-performance slave ports: S_AXI_HP0 to 3 (UG585), S_AXI_HP0_FPD to 3 (UG1085)."""


class Bus(NamedTuple):
    """What shares one memory port.

    Attributes:
        engines: DMA engines of boundary streams.
        groups: numbers of the groups of `READERS_PER_GROUP` readers.
        read, written: bytes per frame.
    """

    engines: tuple[DmaEngine, ...] = ()
    groups: tuple[int, ...] = ()
    read: int = 0
    written: int = 0

    def cycles(self, bits: int) -> int:
        """Cycles per frame at the port."""
        return ceil(8 * max(self.read, self.written) / bits)

    def plus(self, other: Bus) -> Bus:
        """What shares the port if both do."""
        parts = self.engines + other.engines, self.groups + other.groups
        return Bus(*parts, self.read + other.read, self.written + other.written)


def buses(graph: Dataflow, family: str) -> list[Bus]:
    """The memory ports in use and who shares which: as few as do not slow the accelerator down, where there are enough.

    Args:
        graph: folded.
        family: of the target; without a processor there are none.
    """
    has = MEMORY_PORTS.get(family)
    if has is None:
        return []
    users = _users(graph)
    enough = max(unit.interval for unit in graph)
    ways = [_shared(users, count) for count in range(1, min(has.count, len(users)) + 1)]
    return min(ways, key=lambda way: (max(enough, *(bus.cycles(has.bits) for bus in way)), len(way)))


def crossing(graph: Dataflow, family: str) -> int:
    """Cycles per frame of the busiest memory port; 0 without a processor."""
    return max((bus.cycles(MEMORY_PORTS[family].bits) for bus in buses(graph, family)), default=0)


def _users(graph: Dataflow) -> list[Bus]:
    """Everything that needs a memory port."""
    users = [
        Bus((e,), read=e.frame_bytes) if port.is_input else Bus((e,), written=e.frame_bytes)
        for port in boundary(graph)
        for e in port.engines
    ]
    readers = weight_ports(graph)
    for number, begin in enumerate(range(0, len(readers), READERS_PER_GROUP)):
        taken = sum(reader.frame_bytes for reader in readers[begin : begin + READERS_PER_GROUP])
        users.append(Bus(groups=(number,), read=taken))
    return users


def _shared(users: Sequence[Bus], count: int) -> list[Bus]:
    """The users on ``count`` ports: the busiest first, each where the busier direction then has least (and the first such)."""
    ports = [Bus()] * count
    for user in sorted(users, key=lambda user: -max(user.read, user.written)):
        sums = [port.plus(user) for port in ports]
        best = min(range(count), key=lambda k: (max(sums[k].read, sums[k].written), k))
        ports[best] = sums[best]
    return [port for port in ports if port.engines or port.groups]
