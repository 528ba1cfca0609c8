"""The dataflow graph: hardware units joined by streams."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flowc.units import InputPort, OutputPort, Unit
from flowc.units.base import Frame

__all__ = ["Dataflow", "Stream"]


@dataclass(frozen=True)
class Stream:
    """A point-to-point stream with a FIFO on it.

    Attributes:
        src, src_port, dst, dst_port: the ends.
        depth: FIFO depth in beats; None until sized.
        memory: FIFO storage (srl, lutram, bram, uram); None until sized.
        tensor: name of the model's integer tensor that it carries, where there is one (then it is compared in verification).
    """

    src: str
    dst: str
    src_port: int = 0
    dst_port: int = 0
    depth: int | None = None
    memory: str | None = None
    tensor: str | None = None


class Dataflow:
    """Units by name and the streams between them; an immutable value (changes give a new graph).

    Every input port of every unit but ``InputPort`` has exactly one stream, and every output port of every unit but
    ``OutputPort`` feeds exactly one (a Fork copies).
    """

    def __init__(self, name: str, units: Iterable[Unit], streams: Iterable[Stream]) -> None:
        self.name = name
        self.units: Mapping[str, Unit] = {u.name: u for u in units}
        self.streams: tuple[Stream, ...] = tuple(streams)
        self._into: dict[str, list[Stream]] = {n: [] for n in self.units}
        self._out: dict[str, list[Stream]] = {n: [] for n in self.units}
        for s in self.streams:
            self._into[s.dst].append(s)
            self._out[s.src].append(s)
        for ends in self._into.values():
            ends.sort(key=lambda s: s.dst_port)
        for ends in self._out.values():
            ends.sort(key=lambda s: s.src_port)
        self._order = self._sorted()

    def _sorted(self) -> tuple[str, ...]:
        """Names in topological order; of units that are free to come next, the one that was given first."""
        position = {n: i for i, n in enumerate(self.units)}
        names = tuple(self.units)
        waiting = {n: len(into) for n, into in self._into.items()}
        free = [position[n] for n, count in waiting.items() if not count]
        heapq.heapify(free)
        order = []
        while free:
            order.append(names[heapq.heappop(free)])
            for s in self._out[order[-1]]:
                waiting[s.dst] -= 1
                if not waiting[s.dst]:
                    heapq.heappush(free, position[s.dst])
        if len(order) < len(names):
            raise ValueError(f"the streams of '{self.name}' run in a cycle")
        return tuple(order)

    def __iter__(self) -> Iterator[Unit]:
        """Units in topological order."""
        return (self.units[n] for n in self._order)

    def __getitem__(self, name: str) -> Unit:
        return self.units[name]

    def into(self, name: str) -> list[Stream]:
        """Streams into a unit, by input port."""
        return self._into[name]

    def out_of(self, name: str) -> list[Stream]:
        """Streams out of a unit, by output port."""
        return self._out[name]

    def ancestors(self, name: str) -> set[str]:
        """Units from which a unit can be reached, without itself."""
        return self._reached(name, lambda n: (s.src for s in self._into[n]))

    def descendants(self, name: str) -> set[str]:
        """Units that can be reached from a unit, without itself."""
        return self._reached(name, lambda n: (s.dst for s in self._out[n]))

    @staticmethod
    def _reached(name: str, steps: Callable[[str], Iterable[str]]) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = set(steps(waiting.pop())) - found
            found |= new
            waiting += new
        return found

    def frame(self, stream: Stream) -> Frame:
        """Type of the frames on a stream."""
        return self.units[stream.src].outputs[stream.src_port]

    @property
    def inputs(self) -> list[InputPort]:
        """Input ports in order."""
        return [u for u in self.units.values() if isinstance(u, InputPort)]

    @property
    def outputs(self) -> list[OutputPort]:
        """Output ports in order."""
        return [u for u in self.units.values() if isinstance(u, OutputPort)]

    def with_units(self, changed: Mapping[str, Unit]) -> Dataflow:
        """A copy in which units are exchanged for others of the same name and ports."""
        return Dataflow(self.name, [changed.get(n, u) for n, u in self.units.items()], self.streams)

    def with_streams(self, changed: Mapping[Stream, Stream]) -> Dataflow:
        """A copy in which streams are exchanged."""
        return Dataflow(self.name, self.units.values(), [changed.get(s, s) for s in self.streams])

    def insert(self, added: Mapping[Stream, Unit]) -> Dataflow:
        """A copy with a one-in one-out unit put into each of some streams; the tensor name stays on the part into the unit."""
        in_front: dict[str, list[Unit]] = {}
        streams: list[Stream] = []
        for s in self.streams:
            unit = added.get(s)
            if unit is None:
                streams.append(s)
                continue
            in_front.setdefault(s.dst, []).append(unit)
            streams += [replace(s, dst=unit.name, dst_port=0), Stream(unit.name, s.dst, 0, s.dst_port)]
        units = [u for name, own in self.units.items() for u in (*in_front.get(name, ()), own)]
        return Dataflow(self.name, units, streams)
