"""From layers and tilings to descriptors: which load goes to which half of which buffer, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from flowc.loopback.blocks import Blocks, chunks_of
from flowc.loopback.descriptors import Compute, Descriptor, End, Fence, LoadActs, LoadWeights, Store
from flowc.loopback.descriptors import Layer as Registers
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.formats import PlaneLayout
from flowc.loopback.layers import Layer, Network, Storage, View
from flowc.loopback.memory import MemoryPlan
from flowc.loopback.search import Tiling

__all__ = ["Segment", "WeightPart", "schedule", "weight_parts", "with_end"]

_COUNTER = 1 << 16
_UNIT = 8


@dataclass(frozen=True)
class WeightPart:
    """A load of weights: output blocks [start, start + count) of a layer, one piece of their kernel, at ``address``."""

    start: int
    count: int
    chunk: int
    address: int
    words: int
    parameters: int
    tables: int


@dataclass(frozen=True, eq=False)
class Segment:
    """The descriptors of one layer, from its registers to the fence."""

    layer: Layer
    descriptors: tuple[Descriptor, ...]


@dataclass(frozen=True)
class _Tile:
    image: int
    images: int
    y: int
    rows: int
    x: int
    columns: int


@dataclass(frozen=True)
class _Part:
    """What a load puts into the buffer: words of a tile from ``base``, and how they lie there."""

    base: int
    size: int
    row: int
    pixel: int
    image: int
    origin: int


def weight_parts(blocks: Blocks, tiling: Tiling, address: int) -> list[WeightPart]:
    """The loads of a layer's weights in fetch order, from ``address`` on."""
    e = blocks.engine
    parts: list[WeightPart] = []
    pieces = chunks_of(blocks, e.weight_words // 2) or []
    for start in range(0, blocks.count, tiling.blocks):
        count = min(tiling.blocks, blocks.count - start)
        for index, (ky, kx, cb) in enumerate(pieces):
            taps = (ky.stop - ky.start) * (kx.stop - kx.start) * (cb.stop - cb.start)
            words = count * taps * blocks.planes * blocks.weight_planes if blocks.weight_words else 0
            last = index == len(pieces) - 1
            part = WeightPart(
                start, count, index, address, words, count if last else 0, count * blocks.tables_each if last else 0
            )
            address += words * e.weight_word_bytes + (part.parameters + part.tables) * e.parameter_word_bytes
            parts.append(part)
    return parts


class _Scheduler:
    def __init__(self, engine: Engine, memory: MemoryPlan, *, groups: int, stripes: bool) -> None:
        self.engine, self.memory = engine, memory
        self.groups, self.stripes = groups, stripes
        self.acts = self.weights = self.computes = 0
        self.act_use, self.weight_use = [0, 0], [0, 0]
        self.half = 0
        self.out: list[Descriptor] = []
        self.fetched: dict[tuple[int, int], tuple[int, int]] = {}

    # addresses

    def layout(self, storage: Storage) -> PlaneLayout:
        return self.memory.layouts[storage]

    def address(self, storage: Storage, image: int, row: int) -> int:
        """Byte of the first pixel of a row."""
        layout = self.layout(storage)
        return self.memory.regions[storage].start + image * layout.image_bytes + layout.origin + row * layout.row_bytes

    # loads

    def load_weights(self, number: int, blocks: Blocks, tiling: Tiling, part: WeightPart) -> tuple[int, int]:
        """Loads a part if it is not there yet; returns its load number (from 1) and half."""
        key = (number, part.address)
        if key in self.fetched:
            return self.fetched.pop(key)
        half = self.weights % 2
        e = self.engine
        parameter = half * (tiling.blocks if blocks.tables_each else e.parameter_words // 2)
        self.out.append(
            LoadWeights(
                layer=number, after=self.weight_use[half] % _COUNTER, ddr=part.address // BEAT_BYTES,
                buf=half * (e.weight_words // 2), words=part.words, parameter=parameter, parameters=part.parameters,
                table=parameter * blocks.tables_each, tables=part.tables, tag=self.weights % _COUNTER,
            )
        )  # fmt: skip
        self.weights += 1
        return self.weights, half

    def load_acts(
        self, number: int, view: View, tile: _Tile, rows: tuple[int, int], columns: tuple[int, int], words: tuple[int, int],
        base: int, lane_rows: int, after: int,
    ) -> _Part:  # fmt: skip
        """Loads words [start, end) of the pixels of a range of rows and columns to ``base``."""
        e, layout = self.engine, self.layout(view.storage)
        unit = max(1, BEAT_BYTES // e.word_bytes)
        pitch = layout.pixel_words
        first = self.address(view.storage, tile.image * e.lanes, rows[0])
        count = rows[1] - rows[0]
        start, end = words[0] // unit * unit, -(-words[1] // unit) * unit
        if pitch % unit or end - start >= pitch:
            begin = columns[0] * pitch // unit * unit
            row = -(-(columns[1] * pitch - begin) // unit) * unit
            part = _Part(base, tile.images * count * row, row, pitch, count * row, columns[0] * pitch - begin)
            load = LoadActs(beats=row * e.word_bytes // BEAT_BYTES, columns=1)
            first += begin * e.word_bytes
        else:
            pixel = end - start
            row = (columns[1] - columns[0]) * pixel
            part = _Part(base, tile.images * count * row, row, pixel, count * row, -start)
            load = LoadActs(
                beats=pixel * e.word_bytes // BEAT_BYTES, columns=columns[1] - columns[0], buf_column=pixel,
                column_stride=pitch * e.word_bytes // BEAT_BYTES,
            )  # fmt: skip
            first += (columns[0] * pitch + start) * e.word_bytes
        lane = lane_rows * layout.row_bytes if self.stripes else layout.image_bytes
        several = tile.images > 1
        self.out.append(
            replace(
                load, layer=number, after=after % _COUNTER, ddr=first // BEAT_BYTES, lane_stride=lane // BEAT_BYTES,
                image_stride=e.lanes * layout.image_bytes // BEAT_BYTES if several else 0,
                row_stride=layout.row_bytes // BEAT_BYTES if count > 1 else 0, buf=base, buf_image=part.image if several else 0,
                buf_row=part.row if count > 1 else 0, images=tile.images, rows=count, lane_mask=self.mask,
                tag=self.acts % _COUNTER,
            )
        )  # fmt: skip
        self.acts += 1
        return part

    # layers

    def layer(
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], following: Callable[[], None] | None
    ) -> tuple[Descriptor, ...]:  # fmt: skip
        """The segment of a layer; ``following`` loads the first weights of the next one before the fence."""
        layer, e = blocks.layer, self.engine
        self.lane_h = -(-layer.h // e.lanes) if self.stripes else layer.h
        used = -(-layer.h // self.lane_h) if self.stripes else e.lanes
        self.mask = (1 << used) - 1
        carried, self.out = self.out, []
        self.out.append(self._registers(number, blocks))
        tiles = [
            _Tile(g, min(tiling.images, self.groups - g), y, min(tiling.rows, self.lane_h - y), x, min(tiling.columns, layer.w - x))
            for g in range(0, self.groups, tiling.images)
            for y in range(0, self.lane_h, tiling.rows)
            for x in range(0, layer.w, tiling.columns)
        ]  # fmt: skip
        self.tiles = len(tiles)
        if tiling.chunks > 1:
            self._chunked(number, blocks, tiling, parts, tiles)
        else:
            self._tiled(number, blocks, tiling, parts, tiles)
        if following is not None:
            following()
        self.out.append(Fence(layer=number))
        done, self.out = self.out, carried
        return tuple(done)

    def _tiled(
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], tiles: Sequence[_Tile]
    ) -> None:
        pairs = (
            [(t, p) for p in parts for t in tiles] if tiling.weights_outer else [(t, p) for t in tiles for p in parts]
        )
        held: tuple[_Tile, int] | None = None
        loaded: WeightPart | None = None
        operands: _Operands | None = None
        for tile, part in pairs:
            if part is not loaded:
                weight_load, weight_half = self.load_weights(number, blocks, tiling, part)
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
        self, number: int, blocks: Blocks, tiling: Tiling, parts: Sequence[WeightPart], tiles: Sequence[_Tile]
    ) -> None:
        pieces = chunks_of(blocks, self.engine.weight_words // 2) or []
        for tile in tiles:
            operands: _Operands | None = None
            for part in parts:
                if operands is None or (part.chunk == 0 and blocks.step):
                    operands = self._load_operands(number, blocks, tile, part, tiling)
                elif part.chunk == 0 and operands.skip is None and blocks.layer.join is not None:
                    self._load_skip(number, blocks, tile, part, operands)
                load, half = self.load_weights(number, blocks, tiling, part)
                self._compute(number, blocks, tiling, tile, part, operands, load, half, pieces[part.chunk])
                if part.chunk == len(pieces) - 1 and not operands.whole_skip:
                    operands.skip = None

    def _load_operands(self, number: int, blocks: Blocks, tile: _Tile, part: WeightPart, tiling: Tiling) -> _Operands:
        layer, e, w = blocks.layer, self.engine, blocks.layer.window
        self.half = 1 - self.half
        after = self.act_use[self.half]
        base = self.half * (e.act_words // 2)
        y0, x0 = tile.y * w.stride[0] - w.top, tile.x * w.stride[1] - w.left
        y1 = y0 + (tile.rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1
        x1 = x0 + (tile.columns - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1
        storage = layer.source.storage
        rows = (y0, y1) if self.stripes else _inside(y0, y1, storage.h)
        columns = _inside(x0, x1, storage.w)
        first = (blocks.first + part.start * blocks.step) * blocks.planes
        if blocks.step:
            words = first, first + ((part.count - 1) * blocks.step + blocks.channel_blocks) * blocks.planes
        else:
            words = first, first + blocks.channel_blocks * blocks.planes
        lane_rows = self.lane_h * w.stride[0]
        tag = self.acts % _COUNTER
        main = self.load_acts(number, layer.source, tile, rows, columns, words, base, lane_rows, after)
        operands = _Operands(self.half, y0, x0, rows, columns, main, tag, base + main.size)
        operands.held = not blocks.step and (tiling.chunks > 1 or not tiling.weights_outer or self.tiles == 1)
        if layer.second is not None:
            operands.skip_tag = self.acts % _COUNTER
            operands.second = self.load_acts(
                number, layer.second, tile, rows, columns, words, operands.free, lane_rows, after
            )
        if layer.join is not None:
            self._load_skip(number, blocks, tile, part, operands)
        return operands

    def _load_skip(self, number: int, blocks: Blocks, tile: _Tile, part: WeightPart, operands: _Operands) -> None:
        """The second operand of a join: for all blocks of outputs if there is room, else for those of a part."""
        join = blocks.layer.join
        assert join is not None
        e = self.engine
        planes = blocks.skip_planes
        first = int(join.skip.slots[0]) // e.columns * planes
        unit = max(1, BEAT_BYTES // e.word_bytes)
        pitch = self.layout(join.skip.storage).pixel_words
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
        operands.skip_tag = self.acts % _COUNTER
        operands.skip = self.load_acts(
            number, join.skip, tile, rows, columns, words, operands.free, self.lane_h, self.act_use[operands.half]
        )

    def _compute(
        self, number: int, blocks: Blocks, tiling: Tiling, tile: _Tile, part: WeightPart, operands: _Operands, load: int, half: int,
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
        self.out.append(
            Compute(
                layer=number, need_acts=self.acts % _COUNTER, need_weights=load % _COUNTER, acts=acts,
                weights=half * (e.weight_words // 2),
                parameter=half * (tiling.blocks if blocks.tables_each else e.parameter_words // 2), images=tile.images,
                rows=tile.rows, columns=tile.columns, blocks=part.count, kernel_y=kernel[0], kernel_x=kernel[1], first=first, last=last,
                channel_blocks=channel_blocks, weight_tag=(load - 1) % _COUNTER, y_step=steps[0] if tile.rows > 1 else 0,
                x_step=steps[1] if tile.columns > 1 else 0, ky_step=steps[2] if kernel[0] > 1 else 0,
                kx_step=steps[3] if kernel[1] > 1 else 0, image_step=main.image if tile.images > 1 else 0,
                block_step=blocks.step * blocks.planes, y0=y0, x0=x0, act_tag=operands.tag, skip_tag=operands.skip_tag, **skip,
            )
        )  # fmt: skip
        self.computes += 1
        self.act_use[operands.half] = self.weight_use[half] = self.computes
        if last:
            self._store(number, blocks, tile, part)

    def _store(self, number: int, blocks: Blocks, tile: _Tile, part: WeightPart) -> None:
        layer, e, p = blocks.layer, self.engine, blocks.layer.placement
        storage = layer.out.storage
        layout = self.layout(storage)
        pixel = layout.pixel_words * e.word_bytes
        each = blocks.words_per_block * blocks.out_planes
        address = self.address(storage, tile.image * e.lanes, p.y0 + tile.y * p.step_y)
        address += (p.x0 + tile.x * p.step_x) * pixel + (blocks.first_out + part.start) * each * e.word_bytes
        lane = self.lane_h * p.step_y * layout.row_bytes if self.stripes else layout.image_bytes
        self.out.append(
            Store(
                layer=number, repeat_y=p.repeat_y, repeat_x=p.repeat_x, words=part.count * each, ddr=address // _UNIT,
                lane_stride=lane // _UNIT, image_stride=e.lanes * layout.image_bytes // _UNIT,
                row_stride=p.step_y * layout.row_bytes // _UNIT, column_stride=p.step_x * pixel // _UNIT,
                repeat_row=layout.row_bytes // _UNIT, repeat_column=pixel // _UNIT, images=tile.images, rows=tile.rows,
                columns=tile.columns, lane_mask=self.mask,
            )
        )  # fmt: skip

    def _registers(self, number: int, blocks: Blocks) -> Registers:
        layer, w, post, join = blocks.layer, blocks.layer.window, blocks.layer.post, blocks.layer.join
        storage = layer.source.storage
        found = Registers(
            layer=number, kind=layer.kind, planes=blocks.planes, weight_planes=blocks.weight_planes, out_planes=blocks.out_planes,
            mode=post.mode, depth=post.depth, lo=post.lo, hi=post.hi, stride_y=w.stride[0], stride_x=w.stride[1],
            dilation_y=w.dilation[0], dilation_x=w.dilation[1], height=storage.h, width=storage.w, pad=layer.pad,
            lane_rows=self.lane_h * w.stride[0] if self.stripes else 0, tables_each=blocks.tables_each,
        )  # fmt: skip
        if join is None:
            return found
        return replace(
            found, skip_planes=blocks.skip_planes, join=join.op, left_scale=join.left_scale, right_scale=join.right_scale,
            left_offset=join.left_offset, right_offset=join.right_offset, join_word=join.word, join_lo=join.lo, join_hi=join.hi,
        )  # fmt: skip


@dataclass
class _Operands:
    """What lies in a half of the activation buffer."""

    half: int
    y0: int
    x0: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    main: _Part
    tag: int
    free: int
    second: _Part | None = None
    skip: _Part | None = None
    skip_tag: int = 0
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
    scheduler = _Scheduler(engine, memory, groups=groups, stripes=stripes)
    segments = []
    for i, layer in enumerate(network.layers):
        following = None
        if i + 1 < len(blocks) and not blocks[i].tables_each and not blocks[i + 1].tables_each:

            def following(n: int = i + 1) -> None:
                part = parts[n][0]
                scheduler.fetched[n, part.address] = scheduler.load_weights(n, blocks[n], tilings[n], part)

        segments.append(Segment(layer, scheduler.layer(i, blocks[i], tilings[i], parts[i], following)))
    return segments


def with_end(segments: Sequence[Segment]) -> Iterator[Descriptor]:
    """The descriptors of segments, and the end."""
    for segment in segments:
        yield from segment.descriptors
    yield End()
