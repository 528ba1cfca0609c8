"""Single transfers as descriptors: addresses in the external memory, places in the buffers, and the counters they wait for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flowc.loopback.blocks import Blocks
from flowc.loopback.descriptors import Descriptor, LoadActs, LoadWeights, Store
from flowc.loopback.descriptors import Layer as Registers
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.formats import PlaneLayout
from flowc.loopback.layers import Storage, View
from flowc.loopback.memory import MemoryPlan
from flowc.loopback.parts import WeightPart
from flowc.loopback.search import Tiling

__all__ = ["COUNTER", "Part", "Tile", "Transfers"]

COUNTER = 1 << 16
"""Counters are compared modulo this."""
_UNIT = 8


@dataclass(frozen=True)
class Tile:
    """Images, rows and columns of the output that are computed at once."""

    image: int
    images: int
    y: int
    rows: int
    x: int
    columns: int


@dataclass(frozen=True)
class Part:
    """What a load puts into the buffer: words of a tile from ``base``, and how they lie there."""

    base: int
    size: int
    row: int
    pixel: int
    image: int
    origin: int


class Transfers:
    """What has been loaded, computed and stored so far, and the descriptors of it.

    Attributes:
        engine, memory: what for, and where tensors lie.
        stripes: lanes are stripes of one image.
        lane_h: output rows per lane of the layer at hand.
        mask: lanes that it uses, one bit each.
        acts, weights, computes: loads and computes so far.
        act_use, weight_use: of each half of a buffer, the number of computes up to the last one that reads it.
        out: descriptors.
    """

    def __init__(self, engine: Engine, memory: MemoryPlan, *, stripes: bool) -> None:
        self.engine, self.memory, self.stripes = engine, memory, stripes
        self.lane_h = self.mask = 0
        self.acts = self.weights = self.computes = 0
        self.act_use, self.weight_use = [0, 0], [0, 0]
        self.out: list[Descriptor] = []
        self.fetched: dict[tuple[int, int], tuple[int, int]] = {}

    def layout(self, storage: Storage) -> PlaneLayout:
        return self.memory.layouts[storage]

    def address(self, storage: Storage, image: int, row: int) -> int:
        """Byte of the first pixel of a row."""
        layout = self.layout(storage)
        return self.memory.regions[storage].start + image * layout.image_bytes + layout.origin + row * layout.row_bytes

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
                layer=number, after=self.weight_use[half] % COUNTER, ddr=part.address // BEAT_BYTES,
                buf=half * (e.weight_words // 2), words=part.words, parameter=parameter, parameters=part.parameters,
                table=parameter * blocks.tables_each, tables=part.tables, tag=self.weights % COUNTER,
            )
        )  # fmt: skip
        self.weights += 1
        return self.weights, half

    def load_acts(
        self, number: int, view: View, tile: Tile, rows: tuple[int, int], columns: tuple[int, int], words: tuple[int, int],
        base: int, lane_rows: int, after: int,
    ) -> Part:  # fmt: skip
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
            part = Part(base, tile.images * count * row, row, pitch, count * row, columns[0] * pitch - begin)
            load = LoadActs(beats=row * e.word_bytes // BEAT_BYTES, columns=1)
            first += begin * e.word_bytes
        else:
            pixel = end - start
            row = (columns[1] - columns[0]) * pixel
            part = Part(base, tile.images * count * row, row, pixel, count * row, -start)
            load = LoadActs(
                beats=pixel * e.word_bytes // BEAT_BYTES, columns=columns[1] - columns[0], buf_column=pixel,
                column_stride=pitch * e.word_bytes // BEAT_BYTES,
            )  # fmt: skip
            first += (columns[0] * pitch + start) * e.word_bytes
        lane = lane_rows * layout.row_bytes if self.stripes else layout.image_bytes
        several = tile.images > 1
        self.out.append(
            replace(
                load, layer=number, after=after % COUNTER, ddr=first // BEAT_BYTES, lane_stride=lane // BEAT_BYTES,
                image_stride=e.lanes * layout.image_bytes // BEAT_BYTES if several else 0,
                row_stride=layout.row_bytes // BEAT_BYTES if count > 1 else 0, buf=base, buf_image=part.image if several else 0,
                buf_row=part.row if count > 1 else 0, images=tile.images, rows=count, lane_mask=self.mask,
                tag=self.acts % COUNTER,
            )
        )  # fmt: skip
        self.acts += 1
        return part

    def store(self, number: int, blocks: Blocks, tile: Tile, part: WeightPart) -> None:
        """Stores the results of a tile for the blocks of a part."""
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

    def registers(self, number: int, blocks: Blocks) -> Registers:
        """The registers of a layer."""
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
