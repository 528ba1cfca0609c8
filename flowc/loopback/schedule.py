"""From layers and tilings to descriptors: which load goes to which half of which buffer, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowc.kernels.engine import FIELDS
from flowc.loopback.blocks import Blocks, chunks_of
from flowc.loopback.descriptors import Compute, Descriptor, End, Fence, as_rows
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.layers import Layer, Network
from flowc.loopback.memory import MemoryPlan
from flowc.loopback.parts import WeightPart
from flowc.loopback.search import Tiling
from flowc.loopback.transfers import COUNTER, Part, Tile, Transfers
from flowc.units.base import Array

__all__ = ["Segment", "schedule", "with_end"]


@dataclass(frozen=True, eq=False)
class Segment:
    """The descriptors of one layer, from its registers to the fence.

    Attributes:
        layer: which.
        descriptors: in order.
        images: of each compute, which of the batch's images of a lane is its first one.
    """

    layer: Layer
    descriptors: tuple[Descriptor, ...]
    images: tuple[int, ...]

    @cached_property
    def rows(self) -> Array:
        """The descriptors as the compiled kernels read them, int64 (n, `FIELDS`)."""
        return as_rows(self.descriptors, FIELDS)

    @cached_property
    def groups(self) -> Array:
        """`images` by row, int64 (n,); 0 where a row is no compute."""
        found = np.zeros(len(self.descriptors), np.int64)
        found[[isinstance(d, Compute) for d in self.descriptors]] = self.images
        return found


class _Scheduler:
    """Layers in order.

    Attributes:
        engine: for which.
        groups: images per lane of a batch.
        move: the descriptors so far.
        half: of the activation buffer, that was filled last.
        tiles: of the layer at hand.
        images: of its computes, as in `Segment`.
    """

    def __init__(self, engine: Engine, move: Transfers, *, groups: int) -> None:
        self.engine, self.move, self.groups = engine, move, groups
        self.half = self.tiles = 0
        self.images: list[int] = []

    def layer(
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], following: Callable[[], None] | None
    ) -> tuple[Descriptor, ...]:  # fmt: skip
        """The segment of a layer; ``following`` loads the first weights of the next one before the fence."""
        layer, e = blocks.layer, self.engine
        self.move.lane_h = -(-layer.h // e.lanes) if self.move.stripes else layer.h
        used = -(-layer.h // self.move.lane_h) if self.move.stripes else e.lanes
        self.move.mask = (1 << used) - 1
        carried, self.move.out = self.move.out, []
        self.move.out.append(self.move.registers(number, blocks))
        tiles = [
            Tile(g, min(tiling.images, self.groups - g), y, min(tiling.rows, self.move.lane_h - y), x, min(tiling.columns, layer.w - x))
            for g in range(0, self.groups, tiling.images)
            for y in range(0, self.move.lane_h, tiling.rows)
            for x in range(0, layer.w, tiling.columns)
        ]  # fmt: skip
        self.tiles, self.images = len(tiles), []
        if tiling.chunks > 1:
            self._chunked(number, blocks, tiling, parts, tiles)
        else:
            self._tiled(number, blocks, tiling, parts, tiles)
        if following is not None:
            following()
        self.move.out.append(Fence(layer=number))
        done, self.move.out = self.move.out, carried
        return tuple(done)

    def _tiled(
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], tiles: Sequence[Tile]
    ) -> None:
        pairs = (
            [(t, p) for p in parts for t in tiles] if tiling.weights_outer else [(t, p) for t in tiles for p in parts]
        )
        held: tuple[Tile, int] | None = None
        loaded: WeightPart | None = None
        operands: _Operands | None = None
        for tile, part in pairs:
            if part is not loaded:
                weight_load, weight_half = self.move.load_weights(number, blocks, tiling, part)
                loaded = part
            wanted = (tile, part.start if blocks.step else -1)
            if wanted != held or operands is None:
                operands = self._load_operands(number, blocks, tile, part, tiling)
                held = wanted
            elif operands.skip is None and blocks.layer.join is not None:
                self._load_skip(number, blocks, tile, part, operands)
            self._compute(number, blocks, tiling, tile, part, operands, weight_load, weight_half, None)
            if blocks.layer.join is not None and not operands.whole_skip:
                operands.skip = None

    def _chunked(
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], tiles: Sequence[Tile]
    ) -> None:
        pieces = chunks_of(blocks, self.engine.weight_words // 2) or []
        for tile in tiles:
            operands: _Operands | None = None
            for part in parts:
                if operands is None or (part.chunk == 0 and blocks.step):
                    operands = self._load_operands(number, blocks, tile, part, tiling)
                elif part.chunk == 0 and operands.skip is None and blocks.layer.join is not None:
                    self._load_skip(number, blocks, tile, part, operands)
                load, half = self.move.load_weights(number, blocks, tiling, part)
                self._compute(number, blocks, tiling, tile, part, operands, load, half, pieces[part.chunk])
                if part.chunk == len(pieces) - 1 and not operands.whole_skip:
                    operands.skip = None

    def _load_operands(self, number: int, blocks: Blocks, tile: Tile, part: WeightPart, tiling: Tiling) -> _Operands:
        layer, e, w = blocks.layer, self.engine, blocks.layer.window
        self.half = 1 - self.half
        after = self.move.act_use[self.half]
        base = self.half * (e.act_words // 2)
        y0, x0 = tile.y * w.stride[0] - w.top, tile.x * w.stride[1] - w.left
        y1 = y0 + (tile.rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1
        x1 = x0 + (tile.columns - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1
        storage = layer.source.storage
        rows = (y0, y1) if self.move.stripes else _inside(y0, y1, storage.h)
        columns = _inside(x0, x1, storage.w)
        first = (blocks.first + part.start * blocks.step) * blocks.planes
        if blocks.step:
            words = first, first + ((part.count - 1) * blocks.step + blocks.channel_blocks) * blocks.planes
        else:
            words = first, first + blocks.channel_blocks * blocks.planes
        lane_rows = self.move.lane_h * w.stride[0]
        tag = self.move.acts % COUNTER
        main = self.move.load_acts(number, layer.source, tile, rows, columns, words, base, lane_rows, after)
        operands = _Operands(self.half, y0, x0, rows, columns, main, tag, base + main.size, [after, after])
        operands.held = not blocks.step and (tiling.chunks > 1 or not tiling.weights_outer or self.tiles == 1)
        if layer.second is not None:
            operands.skip_tag = self.move.acts % COUNTER
            operands.second = self.move.load_acts(
                number, layer.second, tile, rows, columns, words, operands.free, lane_rows, after
            )
        if layer.join is not None:
            self._load_skip(number, blocks, tile, part, operands)
        return operands

    def _load_skip(self, number: int, blocks: Blocks, tile: Tile, part: WeightPart, operands: _Operands) -> None:
        """The second operand of a join: for all blocks of outputs if there is room, else for those of a part.

        Where two parts have room, they take turns, so that one is loaded while the other is computed with.
        """
        join = blocks.layer.join
        assert join is not None
        e = self.engine
        planes = blocks.skip_planes
        first = int(join.skip.slots[0]) // e.columns * planes
        unit = max(1, BEAT_BYTES // e.word_bytes)
        pitch = self.move.layout(join.skip.storage).pixel_words
        room = (operands.half + 1) * (e.act_words // 2) - operands.free
        whole = (
            tile.images
            * tile.rows
            * (tile.columns * min(pitch, blocks.count * blocks.skip_words + 2 * unit) + 2 * unit)
        )
        operands.whole_skip = operands.held and whole <= room
        start, count = (0, blocks.count) if operands.whole_skip else (part.start, part.count)
        words = first + start * blocks.skip_words, first + (start + count) * blocks.skip_words
        rows, columns = (tile.y, tile.y + tile.rows), (tile.x, tile.x + tile.columns)
        turns = not operands.whole_skip and 2 * operands.skip_size <= room
        operands.skip_turn = 1 - operands.skip_turn if operands.skip_size and turns else 0
        base, after = operands.free + operands.skip_turn * operands.skip_size, operands.skip_use[operands.skip_turn]
        operands.skip_tag = self.move.acts % COUNTER
        operands.skip = self.move.load_acts(
            number, join.skip, tile, rows, columns, words, base, self.move.lane_h, after
        )
        operands.skip_size = operands.skip.size

    def _compute(
        self, number: int, blocks: Blocks, tiling: Tiling, tile: Tile, part: WeightPart, operands: _Operands, load: int, half: int,
        piece: tuple[slice, slice, slice] | None,
    ) -> None:  # fmt: skip
        layer, e, w = blocks.layer, self.engine, blocks.layer.window
        main = operands.main
        steps = [w.stride[0] * main.row, w.stride[1] * main.pixel, w.dilation[0] * main.row, w.dilation[1] * main.pixel]
        acts = main.base + (operands.y0 - operands.rows[0]) * main.row
        acts += (operands.x0 - operands.columns[0]) * main.pixel + main.origin
        acts += (blocks.first + part.start * blocks.step) * blocks.planes
        if operands.second is not None:
            steps[2] = operands.second.base - main.base
        kernel, channel_blocks, y0, x0 = w.kernel, blocks.channel_blocks, operands.y0, operands.x0
        first = last = True
        if piece is not None:
            ky, kx, cb = piece
            kernel = (ky.stop - ky.start, kx.stop - kx.start)
            channel_blocks = cb.stop - cb.start
            acts += ky.start * steps[2] + kx.start * steps[3] + cb.start * blocks.planes
            y0, x0 = y0 + ky.start * w.dilation[0], x0 + kx.start * w.dilation[1]
            first, last = part.chunk == 0, bool(part.parameters)
        skip: dict[str, int] = {}
        if operands.skip is not None and layer.join is not None:
            s = operands.skip
            at = int(layer.join.skip.slots[0]) // e.columns * blocks.skip_planes + part.start * blocks.skip_words
            skip = {"skip": s.base + s.origin + at, "skip_row": s.row, "skip_pixel": s.pixel, "skip_image": s.image}
            if tile.rows == 1:
                skip["skip_row"] = 0
            if tile.images == 1:
                skip["skip_image"] = 0
        self.move.out.append(
            Compute(
                layer=number, need_acts=self.move.acts % COUNTER, need_weights=load % COUNTER, acts=acts,
                weights=half * (e.weight_words // 2),
                parameter=half * (tiling.blocks if blocks.tables_each else e.parameter_words // 2), images=tile.images,
                rows=tile.rows, columns=tile.columns, blocks=part.count, kernel_y=kernel[0], kernel_x=kernel[1], first=first, last=last,
                channel_blocks=channel_blocks, weight_tag=(load - 1) % COUNTER, y_step=steps[0] if tile.rows > 1 else 0,
                x_step=steps[1] if tile.columns > 1 else 0, ky_step=steps[2] if kernel[0] > 1 else 0,
                kx_step=steps[3] if kernel[1] > 1 else 0, image_step=main.image if tile.images > 1 else 0,
                block_step=blocks.step * blocks.planes, y0=y0, x0=x0, act_tag=operands.tag, skip_tag=operands.skip_tag, **skip,
            )
        )  # fmt: skip
        self.images.append(tile.image)
        self.move.computes += 1
        self.move.act_use[operands.half] = self.move.weight_use[half] = self.move.computes
        operands.skip_use[operands.skip_turn] = self.move.computes
        if last:
            self.move.store(number, blocks, tile, part)


@dataclass
class _Operands:
    """What lies in a half of the activation buffer.

    Attributes:
        half: which.
        y0, x0: row and column of the input of the first tap, inside or outside.
        rows, columns: of the input, that are there.
        main, second, skip: the tile, that of a second tap, the second operand of a join (of a part, or of all: ``whole_skip``).
        tag, skip_tag: loads that ``main``, and ``second`` or ``skip``, came with.
        free: first word behind the tiles.
        skip_size, skip_turn, skip_use: words of a part's second operand, which of two places it takes, and the number of computes up to
            the last one that reads each place.
        held: whether the tile stays for all parts.
    """

    half: int
    y0: int
    x0: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    main: Part
    tag: int
    free: int
    skip_use: list[int]
    second: Part | None = None
    skip: Part | None = None
    skip_tag: int = 0
    skip_size: int = 0
    skip_turn: int = 0
    whole_skip: bool = False
    held: bool = False


def _inside(start: int, end: int, size: int) -> tuple[int, int]:
    """[start, end) without what lies outside of [0, size); at least one."""
    low, high = max(0, start), min(size, end)
    return (low, high) if low < high else (min(max(start, 0), size - 1), min(max(start, 0), size - 1) + 1)


def schedule(
    network: Network, blocks: Sequence[Blocks], tilings: Sequence[Tiling], parts: Sequence[Sequence[WeightPart]], memory: MemoryPlan,
    engine: Engine, *, groups: int, stripes: bool = False,
) -> list[Segment]:  # fmt: skip
    """The segments of a network's layers, in order.

    Args:
        blocks, tilings, parts: of each layer.
        memory: where its tensors lie.
        groups: images per lane of a batch.
        stripes: lanes are stripes of one image.
    """
    move = Transfers(engine, memory, stripes=stripes)
    scheduler = _Scheduler(engine, move, groups=groups)
    segments = []
    for i, layer in enumerate(network.layers):
        following = None
        if i + 1 < len(blocks) and not blocks[i].tables_each and not blocks[i + 1].tables_each:

            def following(n: int = i + 1) -> None:
                part = parts[n][0]
                move.fetched[n, part.address] = move.load_weights(n, blocks[n], tilings[n], part)

        descriptors = scheduler.layer(i, blocks[i], tilings[i], parts[i], following)
        segments.append(Segment(layer, descriptors, tuple(scheduler.images)))
    return segments


def with_end(segments: Sequence[Segment]) -> Iterator[Descriptor]:
    """The descriptors of segments, and the end."""
    for segment in segments:
        yield from segment.descriptors
    yield End()
