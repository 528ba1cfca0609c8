"""A network compiled for an engine: descriptors, the image of the external memory, and how to run it in the emulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowc.loopback.blocks import Blocks
from flowc.loopback.descriptors import Store, encode
from flowc.loopback.engine import Engine
from flowc.loopback.layers import Layer, Network, Storage, View
from flowc.loopback.lower_units import lower
from flowc.loopback.memory import MemoryPlan, Region, aligned, plan_memory
from flowc.loopback.parts import WeightPart, weight_parts
from flowc.loopback.schedule import Segment, schedule, with_end
from flowc.loopback.search import Memory, Tiling, tiling_of
from flowc.loopback.words import Fit
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["Program", "compile_network", "compile_program"]


@dataclass(frozen=True, eq=False)
class Program:
    """What the engine executes for a network.

    Attributes:
        engine: for which it is.
        graph: the unfolded dataflow graph whose function it has.
        network: layers, steps of the host, and where tensors lie.
        blocks, tilings: of each layer.
        parts: loads of weights of each layer.
        segments: descriptors of each layer.
        memory: regions of the tensors.
        batch: images of a run; a multiple of the lanes, or 1 where lanes are stripes.
        stripes: lanes are stripes of one image.
    """

    engine: Engine
    graph: Dataflow
    network: Network
    blocks: Sequence[Blocks]
    tilings: Sequence[Tiling]
    parts: Sequence[Sequence[WeightPart]]
    segments: Sequence[Segment]
    memory: MemoryPlan
    batch: int
    stripes: bool

    @cached_property
    def table(self) -> Array:
        """The descriptors, uint32 (n, 16)."""
        return encode(with_end(self.segments))

    @cached_property
    def starts(self) -> list[int]:
        """First descriptor of each layer's segment, and the one behind the last."""
        return [int(n) for n in np.cumsum([0, *(len(s.descriptors) for s in self.segments)])]

    @cached_property
    def weights(self) -> Array:
        """The begin of the external memory, uint8: weights, parameters and tables of all layers."""
        end = max((p.address + _bytes_of(p, self.engine) for parts in self.parts for p in parts), default=0)
        image = np.zeros(aligned(end), np.uint8)
        for blocks, parts in zip(self.blocks, self.parts, strict=True):
            _fill(image, blocks, parts)
        return image

    def fresh_memory(self) -> Array:
        """The external memory before a run: weights, then tensors of zeros."""
        ddr = np.zeros(max(self.memory.size, len(self.weights)), np.uint8)
        ddr[: len(self.weights)] = self.weights
        return ddr

    def write(self, ddr: Array, view: View, frames: Array) -> None:
        """Writes frames (N, H, W, C) of true values to where a tensor lies."""
        storage = view.storage
        layout, region = self.memory.layouts[storage], self.memory.regions[storage]
        images = ddr[region.start : region.start + len(frames) * layout.image_bytes].reshape(len(frames), -1)
        shape = (len(frames), storage.h, storage.w, storage.channels)
        stored = layout.unpack(images).astype(layout.dtype) if self._shared(view) else np.zeros(shape, layout.dtype)
        stored[..., view.slots] = frames.reshape(*shape[:3], -1) - storage.lo
        images[:] = layout.pack(stored)

    def _shared(self, view: View) -> bool:
        """Whether other tensors lie between a tensor's channels."""
        others = (v for v in self.network.views.values() if v.storage is view.storage)
        return not all(set(v.slots) <= set(view.slots) for v in others)

    def read(self, ddr: Array, view: View, count: int) -> Array:
        """The frames (count, H, W, C) of a tensor, int64."""
        storage = view.storage
        layout, region = self.memory.layouts[storage], self.memory.regions[storage]
        images = ddr[region.start : region.start + count * layout.image_bytes].reshape(count, -1)
        return layout.unpack(images)[..., view.slots] + storage.lo

    def number(self, layer: Layer) -> int:
        """The number of a layer."""
        return next(i for i, s in enumerate(self.segments) if s.layer is layer)

    def inner_frames(self, number: int, recorded: Sequence[Array]) -> Array:
        """What a layer computed in front of its fused join, int64 (batch, h, w, C), from the machine's records of its tiles."""
        layer, blocks = self.segments[number].layer, self.blocks[number]
        assert layer.join is not None
        storage, e = layer.out.storage, self.engine
        layout, region = self.memory.layouts[storage], self.memory.regions[storage]
        size = layer.block_rows(e)
        frames = np.zeros((max(self.batch, 1), layout.h + layout.below, storage.w, blocks.count, size), np.int64)
        stores = [d for d in self.segments[number].descriptors if isinstance(d, Store)]
        each = blocks.words_per_block * blocks.out_planes * e.word_bytes
        for store, tile in zip(stores, recorded, strict=True):
            image, rest = divmod(8 * store.ddr - region.start - layout.origin, layout.image_bytes)
            row, rest = divmod(rest, layout.row_bytes)
            column, rest = divmod(rest, layout.pixel_words * e.word_bytes)
            block = rest // each - blocks.first_out
            count = store.words * e.word_bytes // each
            shaped = tile.reshape(len(tile), store.images, store.rows, store.columns, count, size)
            for lane in range(len(tile)):
                if not store.lane_mask >> lane & 1:
                    continue
                down = lane * 8 * store.lane_stride // layout.row_bytes if self.stripes else 0
                first = image if self.stripes else image + lane
                frames[
                    first : first + store.images * e.lanes : e.lanes, row + down : row + down + store.rows,
                    column : column + store.columns, block : block + count,
                ] = shaped[lane]  # fmt: skip
        flat = frames[:, : layout.h].reshape(*frames[:, : layout.h].shape[:3], -1)
        return flat[..., layer.out.slots - blocks.first_out * size] + layer.join.inner_lo

    def may_touch(self, layer: Layer) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bytes that a layer may read as activations, and write."""
        read = [layer.source, layer.second, None if layer.join is None else layer.join.skip]
        return [self._range(v.storage) for v in read if v is not None], [self._range(layer.out.storage)]

    def _range(self, storage: Storage) -> tuple[int, int]:
        region: Region = self.memory.regions[storage]
        return region.start, region.end


def _bytes_of(part: WeightPart, engine: Engine) -> int:
    return part.words * engine.weight_word_bytes + (part.parameters + part.tables) * engine.parameter_word_bytes


def _fill(image: Array, blocks: Blocks, parts: Sequence[WeightPart]) -> None:
    """Writes a layer's weights into the image."""
    taken = 0
    for part in parts:
        at = part.address
        if part.chunk == 0:
            taken = 0
        if part.words:
            words = blocks.weights(part.start, part.count).reshape(-1, blocks.engine.weight_word_bytes)
            data = words[taken : taken + part.words].reshape(-1)
            taken += part.words
            image[at : at + len(data)] = data
            at += len(data)
        if part.parameters:
            for values in (blocks.parameters(part.start, part.count), blocks.tables(part.start, part.count)):
                data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
                image[at : at + len(data)] = data
                at += len(data)


def compile_program(
    graph: Dataflow,
    engine: Engine,
    fits: Mapping[str, Fit | None],
    *,
    batch: int,
    memory: Memory,
    stripes: bool = False,
) -> Program:
    """Lowers, tiles, places and schedules.

    Args:
        graph: unfolded.
        fits: of `flowc.loopback.ranges.fit_all`.
        batch: images of a run; rounded up to a multiple of the lanes.
        memory: the external memory's rate and size.
        stripes: lanes are stripes of one image; ``batch`` is 1 then.

    Raises:
        InfeasibleError: a layer has no tile that fits, or the batch is too large for the external memory or the engine's addresses.
    """
    network = lower(graph, engine, fits)
    return compile_network(network, graph, engine, batch=batch, memory=memory, stripes=stripes)


def compile_network(
    network: Network, graph: Dataflow, engine: Engine, *, batch: int, memory: Memory, stripes: bool = False
) -> Program:
    """`compile_program` for a network that is lowered already."""
    blocks = [Blocks(layer, engine) for layer in network.layers]
    groups = 1 if stripes else -(-batch // engine.lanes)
    tilings = [
        tiling_of(b, groups, memory, lane_rows=-(-b.layer.h // engine.lanes) if stripes else None) for b in blocks
    ]
    parts, address = [], 0
    for b, tiling in zip(blocks, tilings, strict=True):
        parts.append(weight_parts(b, tiling, address))
        address = aligned(max(p.address + _bytes_of(p, engine) for p in parts[-1]))
    images = 1 if stripes else groups * engine.lanes
    plan = plan_memory(network, graph, engine, images=images, start=address, stripes=stripes, capacity=memory.size)
    segments = schedule(network, blocks, tilings, parts, plan, engine, groups=groups, stripes=stripes)
    return Program(engine, graph, network, blocks, tilings, parts, segments, plan, images, stripes)
