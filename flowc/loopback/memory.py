"""Where everything lies in the external memory: weights once, tensors by first fit over the layers in which they are alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowc.errors import InfeasibleError
from flowc.loopback.engine import Engine
from flowc.loopback.formats import PlaneLayout
from flowc.loopback.layers import HostStep, Layer, Network, Storage, View
from flowc.units.graph import Dataflow

__all__ = ["ALIGNMENT", "MemoryFullError", "MemoryPlan", "Region", "guards_of", "plan_memory"]

ALIGNMENT = 64
"""Bytes that every region begins at a multiple of."""
_ADDRESSABLE = 1 << 35


class MemoryFullError(InfeasibleError):
    """A batch takes more external memory than there is, or than the engine addresses."""


@dataclass(frozen=True)
class Region:
    """Bytes [start, start + size) of the external memory."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.start + self.size


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Regions of tensors.

    Attributes:
        layouts: storage -> how its values lie.
        regions: storage -> where.
        size: bytes in all, weights and tensors.
        images: images that each tensor has room for.
    """

    layouts: Mapping[Storage, PlaneLayout]
    regions: Mapping[Storage, Region]
    size: int
    images: int


def aligned(size: int) -> int:
    """``size`` rounded up to `ALIGNMENT`."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def guards_of(network: Network, engine: Engine) -> dict[Storage, tuple[int, int]]:
    """Rows in front of and behind each tensor that lanes touch when they are stripes of one image."""
    guards: dict[Storage, tuple[int, int]] = {}

    def need(storage: Storage, above: int, below: int) -> None:
        a, b = guards.get(storage, (0, 0))
        guards[storage] = (max(a, above), max(b, below))

    for layer in network.layers:
        w = layer.window
        lane_h = -(-layer.h // engine.lanes)
        used = -(-layer.h // lane_h)
        last = (used * lane_h - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] - w.top
        for read in (layer.source, layer.second):
            if read is not None:
                need(read.storage, max(0, w.top), max(0, last - read.storage.h + 1))
        rows = used * lane_h
        end = layer.placement.y0 + rows * layer.placement.step_y
        need(layer.out.storage, 0, max(0, end - layer.out.storage.h))
        if layer.join is not None:
            need(layer.join.skip.storage, 0, max(0, rows - layer.join.skip.storage.h))
    return guards


def plan_memory(
    network: Network,
    graph: Dataflow,
    engine: Engine,
    *,
    images: int,
    start: int,
    stripes: bool,
    capacity: int | None = None,
) -> MemoryPlan:
    """Places every tensor behind ``start``.

    Inputs and outputs of the network share their bytes with nothing, so that the host may fill and read them meanwhile.

    Args:
        images: of a batch.
        start: bytes of weights, which come first.
        capacity: bytes of the external memory, if they are known.

    Raises:
        MemoryFullError: there is no room, or the engine's addresses do not reach that far.
    """
    alive = _lifetimes(network, graph)
    guards = guards_of(network, engine) if stripes else {}
    layouts, sizes = {}, {}
    for storage in alive:
        above, below = guards.get(storage, (0, 0))
        plain = storage.layout(engine)
        layout = PlaneLayout(engine, plain.h, plain.w, plain.blocks, plain.planes, above, below)
        layouts[storage], sizes[storage] = layout, aligned(layout.image_bytes * images)
    regions: dict[Storage, Region] = {}
    for storage in sorted(alive, key=lambda s: (-sizes[s], s.name)):
        first, last = alive[storage]
        others = sorted(
            (r for s, r in regions.items() if alive[s][0] <= last and first <= alive[s][1]), key=lambda r: r.start
        )
        regions[storage] = Region(_first_fit(others, sizes[storage], start), sizes[storage])
    size = max((r.end for r in regions.values()), default=start)
    room = _ADDRESSABLE if capacity is None else min(capacity, _ADDRESSABLE)
    if size > room:
        raise _full(regions, images, start, size, room, capacity)
    return MemoryPlan(layouts, regions, size, images)


def _full(
    regions: Mapping[Storage, Region], images: int, weights: int, size: int, room: int, capacity: int | None
) -> MemoryFullError:
    """What takes how much, and what there is."""
    largest = max(regions, key=lambda s: regions[s].size)
    given = "the engine addresses" if room != capacity else "the target's external memory has"
    return MemoryFullError(
        f"a batch of {images} image{'s' if images > 1 else ''} takes {size:,} bytes of external memory, {weights:,} for weights and "
        f"{regions[largest].size:,} for the largest tensor, '{largest.name}'; {given} {room:,}",
        remedy="Ask for a smaller --batch" if images > 1 else "Take a target with more external memory",
    )


def _first_fit(others: Sequence[Region], size: int, start: int) -> int:
    at = start
    for region in others:
        if region.start - at >= size:
            return at
        at = max(at, region.end)
    return at


def _lifetimes(network: Network, graph: Dataflow) -> dict[Storage, tuple[int, int]]:
    """Storage -> first and last step in which it holds what somebody needs."""
    end = len(network.steps)
    alive: dict[Storage, tuple[int, int]] = {}

    def touch(storage: Storage, at: int) -> None:
        first, last = alive.get(storage, (at, at))
        alive[storage] = (min(first, at), max(last, at))

    for at, step in enumerate(network.steps):
        if isinstance(step, HostStep):
            for view in step.outputs:
                touch(view.storage, at)
            continue
        for view in _read(step):
            touch(view.storage, at)
        touch(step.out.storage, at)
    for entry in network.entries:
        storage = network.views[entry].storage
        touch(storage, -1)
        touch(storage, end)
    for key, at in _host_reads(network, graph):
        storage = network.views[key].storage
        touch(storage, at)
        if at == end:
            touch(storage, -1)
    return alive


def _read(layer: Layer) -> list[View]:
    views = [layer.source, layer.second, None if layer.join is None else layer.join.skip]
    return [v for v in views if v is not None]


def _host_reads(network: Network, graph: Dataflow) -> list[tuple[tuple[str, int], int]]:
    """What the host reads: ((unit, port), step); at the end for outputs of the network."""
    wanted: list[tuple[str, int]] = [(u.name, len(network.steps)) for u in graph.outputs]
    wanted += [(s.unit.name, at) for at, s in enumerate(network.steps) if isinstance(s, HostStep)]
    found = []
    while wanted:
        name, at = wanted.pop()
        for stream in graph.into(name):
            key = (stream.src, stream.src_port)
            if key in network.views:
                found.append((key, at))
            else:
                wanted.append((stream.src, at))
    return found
