"""How long a program takes: a recurrence over its descriptors, tile by tile.

Loads, computes and stores overlap as the counters allow, and a fence waits for all of them. With a rate, all ports share the external
memory, which serves requests in the order in which they are ready; without one every load port moves a beat per cycle and stores take
no time, which is what the C++ engine counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from flowc.loopback.blocks import Blocks
from flowc.loopback.descriptors import Compute, LoadActs, LoadWeights, Store
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.schedule import Segment
from flowc.loopback.search import FENCE_CYCLES, TILE_CYCLES

__all__ = ["LayerCost", "costs_of"]

_WRAP = 1 << 16


@dataclass(frozen=True)
class LayerCost:
    """What a layer takes per batch.

    Attributes:
        cycles: from the fence before it to its own.
        compute_cycles: cycles in which the array (or the activation unit behind it) works.
        read_bytes, write_bytes: moved from and to the external memory.
        memory_cycles: cycles that the external memory works for it.
    """

    cycles: float
    compute_cycles: int
    read_bytes: int
    write_bytes: int
    memory_cycles: float

    @property
    def binds(self) -> str:
        """What the layer waits for: "compute" or "memory"."""
        return "memory" if self.memory_cycles > self.compute_cycles else "compute"


@dataclass
class _Clock:
    """Times of the engine's parts, in cycles."""

    rate: float | None
    load_bytes: int
    store_bytes: int
    free: float = 0.0
    ports: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    waiting: list[tuple[float, int]] = field(default_factory=list)
    loaded: float = 0.0
    stored: float = 0.0
    worked: float = 0.0

    def load(self, port: int, ready: float, size: int) -> float:
        """When a load that may begin at ``ready`` ends."""
        end = self._load(port, ready, size)
        self.loaded = max(self.loaded, end)
        return end

    def _load(self, port: int, ready: float, size: int) -> float:
        beats = size / self.load_bytes
        if self.rate is None:
            self.ports[port] = max(self.ports[port], ready) + beats
            return self.ports[port]
        begin = max(ready, self.ports[port])
        while self.waiting and self.waiting[0][0] <= max(self.free, begin):
            self._store_next()
        self.free = max(self.free, begin) + size / self.rate
        self.worked += size / self.rate
        self.ports[port] = max(self.free, begin + beats)
        return self.ports[port]

    def store(self, ready: float, size: int) -> None:
        """A store of what is computed at ``ready``."""
        heapq.heappush(self.waiting, (ready, size))

    def _store_next(self) -> None:
        ready, size = heapq.heappop(self.waiting)
        if self.rate is None:
            return
        self.free = max(self.free, ready) + size / self.rate
        self.worked += size / self.rate
        self.ports[2] = max(self.ports[2], ready) + size / self.store_bytes
        self.stored = max(self.stored, self.free, self.ports[2])

    def drain(self) -> float:
        """When everything has been stored."""
        while self.waiting:
            self._store_next()
        return self.stored


def costs_of(
    segments: Sequence[Segment],
    blocks: Sequence[Blocks],
    engine: Engine,
    rate: float | None,
    port_bytes: int = BEAT_BYTES,
) -> list[LayerCost]:
    """The cost of each layer.

    Args:
        segments: of a program, in order.
        blocks: of the same layers.
        rate: bytes per cycle of the external memory; None: every load port moves a beat per cycle and nothing else takes time.
        port_bytes: bytes per cycle that a port of the engine moves at most.
    """
    clock = _Clock(rate, port_bytes, min(engine.store_bytes, port_bytes))
    retired, acts, weights = [0.0], [0.0], [0.0]
    now, found = 0.0, []
    fixed = (TILE_CYCLES, FENCE_CYCLES) if rate is not None else (0, 0)
    for segment, b in zip(segments, blocks, strict=True):
        begin, computing, busy, read, written = now, now, 0, 0, 0
        before = clock.worked
        for d in segment.descriptors:
            if isinstance(d, LoadActs | LoadWeights):
                size = _load_bytes(d, engine)
                ready = max(begin, _at(retired, d.after))
                done = clock.load(0 if isinstance(d, LoadActs) else 1, ready, size)
                (acts if isinstance(d, LoadActs) else weights).append(done)
                read += size
            elif isinstance(d, Compute):
                cycles = _compute_cycles(d, b)
                computing = max(computing, _at(acts, d.need_acts), _at(weights, d.need_weights)) + cycles + fixed[0]
                busy += cycles
                retired.append(computing)
            elif isinstance(d, Store):
                size = _store_bytes(d, engine)
                clock.store(computing, size)
                written += size
        now = max(computing, clock.drain(), clock.loaded) + fixed[1]
        moved = clock.worked - before if rate is not None else (read + written) / port_bytes
        found.append(LayerCost(now - begin, busy, read, written, moved))
    return found


def _at(times: Sequence[float], counter: int) -> float:
    """When a counter of 16 bits reached a value: the last time of that number modulo 2^16."""
    last = len(times) - 1
    return times[last - (last - counter) % _WRAP]


def _load_bytes(d: LoadActs | LoadWeights, engine: Engine) -> int:
    if isinstance(d, LoadActs):
        return d.images * d.rows * d.columns * d.beats * BEAT_BYTES * d.lane_mask.bit_count()
    return d.words * engine.weight_word_bytes + (d.parameters + d.tables) * engine.parameter_word_bytes


def _store_bytes(d: Store, engine: Engine) -> int:
    pixels = d.images * d.rows * d.columns * d.repeat_y * d.repeat_x
    return pixels * d.words * engine.word_bytes * d.lane_mask.bit_count()


def _compute_cycles(d: Compute, b: Blocks) -> int:
    """Cycles of a tile: of the array, or of the activation unit where that is slower."""
    each = d.kernel_y * d.kernel_x * d.channel_blocks * b.planes * b.weight_planes
    if d.last:
        each = max(each + b.skip_words, b.post_cycles)
    return d.images * d.rows * d.columns * d.blocks * each
