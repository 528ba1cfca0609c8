"""A pipeline simulated clock cycle by clock cycle: slow, simple, and independent of `flowc.dataflow.allocate.simulation`.

Every unit is a pipeline of `stages` stages behind a loop. In a cycle it starts its next iteration if the beats that
the iteration takes lie in the FIFOs; what leaves the last stage is written if there is room, else the whole unit stalls. A unit of
SystemVerilog ends in two places (``flowc_emit``), and stalls, register by register as there, while a beat that reaches them finds both
taken; each of its ports has a pipeline, and none takes a beat while one of them stalls.
A beat can be read in the cycle after its writing, and its place be written in the cycle after its reading. The loop for the
next frame begins so many cycles after the last iteration as the unit takes to drain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from flowc.units.graph import Dataflow, Stream


@dataclass
class _Fifo:
    depth: int
    held: int = 0
    reads: int = 0
    writes: int = 0
    most: int = 0


@dataclass
class _End:
    """A port's pipeline but for its last register, which is `out`, and the place beside that one."""

    fifo: _Fifo
    gives: frozenset[int]
    pipe: deque[bool]
    out: bool = False
    spare: bool = False

    @property
    def enable(self) -> bool:
        return not (self.spare and bool(self.pipe) and self.pipe[-1])

    def clock(self, room: bool, entering: bool) -> None:
        """A cycle; only an enabled pipeline may be entered."""
        enable, tail = self.enable, self.pipe[-1] if self.pipe else entering
        load = not self.out or room
        if self.out and room:
            self.fifo.writes += 1
        if load:
            self.out, self.spare = self.spare or tail, False
        elif not self.spare:
            self.spare = tail
        if enable and self.pipe:
            self.pipe.pop()
            self.pipe.appendleft(entering)


@dataclass
class _Unit:
    cycles: int
    stages: int
    drain: int
    takes: dict[int, list[_Fifo]]
    gives: dict[int, list[_Fifo]]
    frames: int
    iteration: int = 0
    free: int = 0
    pipe: deque[int | None] = field(default_factory=deque)
    ends: list[int] = field(default_factory=list)
    ports: list[_End] = field(default_factory=list)
    rigid: bool = False


def step(graph: Dataflow, depths: Mapping[Stream, int], frames: int, limit: int = 200_000) -> list[int] | None:
    """The cycle of each frame's last beat at the output, counted from 1; None if the pipeline is stuck."""
    fifos = {s: _Fifo(depths[s]) for s in graph.streams}
    units = {}
    for u in graph:
        schedule = u.schedule()
        takes: dict[int, list[_Fifo]] = {}
        gives: dict[int, list[_Fifo]] = {}
        ports = []
        for s in graph.into(u.name):
            for n in schedule.reads[s.dst_port].dense():
                takes.setdefault(int(n), []).append(fifos[s])
        for s in graph.out_of(u.name):
            written = schedule.writes[s.src_port].dense()
            ports.append(_End(fifos[s], frozenset(written.tolist()), deque([False] * (u.stages - 1))))
            for n in written:
                gives.setdefault(int(n), []).append(fifos[s])
        units[u.name] = _Unit(
            schedule.cycles, u.stages, u.drain, takes, gives, frames, pipe=deque([None] * u.stages), ports=ports
        )
        units[u.name].rigid = u.structure == "pipeline"
    outputs = [units[u.name] for u in graph.outputs]
    for now in range(1, limit):
        before = {id(f): f.held for f in fifos.values()}
        moved = False
        for u in units.values():
            moved |= (_clock_rigid if u.rigid else _clock)(u, before, now)
        for f in fifos.values():
            f.held += f.writes - f.reads
            f.most = max(f.most, f.held)
            f.reads = f.writes = 0
        if all(len(u.ends) == frames for u in outputs):
            return [max(u.ends[i] for u in outputs) for i in range(frames)]
        if not moved:
            return None
    raise AssertionError("too slow")


def _clock(u: _Unit, before: Mapping[int, int], now: int) -> bool:
    leaving = u.pipe[-1]
    if leaving is not None and any(before[id(f)] + f.writes >= f.depth for f in u.gives.get(leaving, ())):
        return False
    if leaving is not None:
        for f in u.gives.get(leaving, ()):
            f.writes += 1
    u.pipe.pop()
    number = _started(u, before, now)
    u.pipe.appendleft(number)
    return number is not None or now < u.free or leaving is not None or any(n is not None for n in u.pipe)


def _clock_rigid(u: _Unit, before: Mapping[int, int], now: int) -> bool:
    number = _started(u, before, now) if all(port.enable for port in u.ports) else None
    waits = [port.enable and any(port.pipe) for port in u.ports]
    for port in u.ports:
        port.clock(before[id(port.fifo)] < port.fifo.depth, number is not None and number in port.gives)
    return number is not None or now < u.free or any(waits) or any(port.fifo.writes for port in u.ports)


def _started(u: _Unit, before: Mapping[int, int], now: int) -> int | None:
    """Starts the next iteration if its beats are there; its number, None if none starts."""
    number = u.iteration % u.cycles
    wanted = u.takes.get(number, ())
    if now < u.free or u.iteration >= u.cycles * u.frames or any(before[id(f)] <= f.reads for f in wanted):
        return None
    for f in wanted:
        f.reads += 1
    u.iteration += 1
    if number == u.cycles - 1:
        u.ends.append(now)
        u.free = now + 1 + u.drain
    return number
