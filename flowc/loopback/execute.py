"""The engine, executed in numpy descriptor by descriptor: buffers, addresses, counters, tags. The readable definition of the hardware.

Between kinds of descriptors only the counters bind, so the most unfavourable order is taken: loads as soon as ``after`` allows, computes
as soon as their loads are there, stores at the end of the segment. A schedule that forgets to wait overwrites what is still needed,
which the tags tell: every word of a buffer remembers the load it came with, and a compute says which load it expects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from flowc.loopback.descriptors import (
    MAC,
    MAX,
    SEARCH,
    Compute,
    Descriptor,
    End,
    Fence,
    Layer,
    LoadActs,
    LoadWeights,
    Store,
)
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.formats import pack_digits, unpack_digits
from flowc.loopback.results import by_word, joined, searched
from flowc.units.base import Array

__all__ = ["Machine", "ScheduleError", "Segment"]

_UNIT = 8
_EXACT = 1 << 24


class Segment(Protocol):
    """What is executed of a layer: `flowc.loopback.schedule` makes them."""

    @property
    def descriptors(self) -> Sequence[Descriptor]: ...

    @property
    def rows(self) -> Array: ...

    @property
    def groups(self) -> Array: ...


class ScheduleError(Exception):
    """A descriptor touches what it may not: an address out of range, a word of another load, a wait that never ends."""


class Machine:
    """An engine with its external memory.

    Attributes:
        engine: what is executed.
        ddr: uint8 (bytes,): the external memory; read and written.
        lanes: lanes that are computed; the others' results are zero.
        inner: results in front of fused joins by layer, where ``record`` names the layer: arrays (lanes, positions, blocks, rows).
    """

    def __init__(self, engine: Engine, ddr: Array, *, lanes: range | None = None) -> None:
        self.engine, self.ddr = engine, ddr
        self.lanes = range(engine.lanes) if lanes is None else lanes
        e = engine
        # Digits of activations and weights are unpacked when they are loaded.
        self._acts = np.zeros((len(self.lanes), e.act_words, e.columns), np.uint8)
        self._weights = np.zeros((e.weight_words, e.rows * e.columns), np.uint8)
        self._parameters = np.zeros((e.parameter_words, e.rows), np.uint64)
        self._tables = np.zeros((e.table_words, e.rows), np.uint64)
        self._act_tags, self._weight_tags, self._parameter_tags, self._table_tags = (
            np.full(n, -1) for n in (e.act_words, e.weight_words, e.parameter_words, e.table_words)
        )
        self._loaded_acts = self._loaded_weights = self._retired = 0
        self._registers = Layer()
        self._acc: Array | None = None
        self._matrices: dict[tuple[int, int, int, int], list[Array]] = {}
        self._fifo: deque[Array] = deque()
        self.record: set[int] = set()
        self.inner: dict[int, list[Array]] = {}
        self.reads: Sequence[tuple[int, int]] | None = None
        self.writes: Sequence[tuple[int, int]] | None = None

    def run(self, descriptors: Iterable[Descriptor]) -> None:
        """Executes segments.

        Raises:
            ScheduleError: the descriptors are wrong.
        """
        segment: list[Descriptor] = []
        for descriptor in descriptors:
            if isinstance(descriptor, End):
                break
            segment.append(descriptor)
            if isinstance(descriptor, Fence):
                self._segment(segment)
                segment = []
        if segment:
            raise ScheduleError("a segment has no fence")

    def execute(self, segment: Segment) -> None:
        """Executes one layer. Raises ScheduleError as `run`."""
        self.run(segment.descriptors)

    def _segment(self, segment: Sequence[Descriptor]) -> None:
        registers = segment[0]
        if not isinstance(registers, Layer):
            raise ScheduleError("a segment does not begin with registers")
        self._registers = registers
        acts = deque(d for d in segment if isinstance(d, LoadActs))
        weights = deque(d for d in segment if isinstance(d, LoadWeights))
        computes = deque(d for d in segment if isinstance(d, Compute))
        stores = [d for d in segment if isinstance(d, Store)]
        while acts or weights or computes:
            moved = False
            while acts and _reached(self._retired, acts[0].after):
                self._load_acts(acts.popleft())
                moved = True
            while weights and _reached(self._retired, weights[0].after):
                self._load_weights(weights.popleft())
                moved = True
            if computes and self._ready(computes[0]):
                self._compute(computes.popleft())
                self._retired += 1
                moved = True
            if not moved:
                raise ScheduleError(f"layer {registers.layer} waits for what never comes")
        for store in stores:
            self._store(store)
        if self._fifo:
            raise ScheduleError(f"layer {registers.layer} leaves {len(self._fifo)} results behind")

    def _ready(self, compute: Compute) -> bool:
        return _reached(self._loaded_acts, compute.need_acts) and _reached(self._loaded_weights, compute.need_weights)

    # memory

    def _addresses(self, start: int, strides: Sequence[tuple[int, int]]) -> Array:
        """All addresses of nested loops (count, stride), the innermost last."""
        total = np.array([start], np.int64)
        for count, stride in strides:
            total = (total[:, None] + stride * np.arange(count)).reshape(-1)
        return total

    def _check_ddr(self, starts: Array, size: int, allowed: Sequence[tuple[int, int]] | None, what: str) -> None:
        low, high = int(starts.min()), int(starts.max()) + size
        if low < 0 or high > len(self.ddr):
            raise ScheduleError(f"{what} touches bytes {low} to {high} of a memory of {len(self.ddr)}")
        if allowed is not None and not any(a <= low and high <= b for a, b in allowed):
            raise ScheduleError(f"{what} touches bytes {low} to {high}, which lie in no tensor of its layer")

    def _load_acts(self, d: LoadActs) -> None:
        e = self.engine
        size = d.beats * BEAT_BYTES
        words = size // e.word_bytes
        loops = ((d.images, d.image_stride), (d.rows, d.row_stride), (d.columns, d.column_stride))
        lanes = [(n, p) for n, p in enumerate(self.lanes) if d.lane_mask >> p & 1]
        starts = BEAT_BYTES * self._addresses(d.ddr, loops)
        places = self._addresses(d.buf, ((d.images, d.buf_image), (d.rows, d.buf_row), (d.columns, d.buf_column)))
        if places.max() + words > e.act_words:
            raise ScheduleError(f"a load of layer {d.layer} ends behind the activation buffer")
        where = places[:, None] + np.arange(words)
        for number, lane in lanes:
            begin = starts + BEAT_BYTES * lane * d.lane_stride
            self._check_ddr(begin, size, self.reads, f"a load of layer {d.layer}")
            data = self.ddr[begin[:, None] + np.arange(size)]
            self._acts[number, where] = unpack_digits(data, e.digit).reshape(len(begin), words, e.columns)
        self._act_tags[where] = d.tag
        self._loaded_acts += 1

    def _load_weights(self, d: LoadWeights) -> None:
        e = self.engine
        at = d.ddr * BEAT_BYTES
        pieces = (
            (d.words, d.buf, e.weight_word_bytes, self._weights, self._weight_tags, "weight buffer"),
            (d.parameters, d.parameter, e.parameter_word_bytes, self._parameters, self._parameter_tags, "parameter memory"),
            (d.tables, d.table, e.parameter_word_bytes, self._tables, self._table_tags, "table memory"),
        )  # fmt: skip
        for count, first, size, buffer, tags, what in pieces:
            if first + count > len(buffer) and count:
                raise ScheduleError(f"a load of layer {d.layer} ends behind the {what}")
            if count:
                self._check_ddr(np.array([at]), count * size, None, f"a load of layer {d.layer}")
                data = self.ddr[at : at + count * size]
                data = unpack_digits(data, e.digit) if buffer is self._weights else data.view(buffer.dtype)
                buffer[first : first + count] = data.reshape(count, -1)
                tags[first : first + count] = d.tag
            at += count * size
        self._loaded_weights += 1

    def _store(self, d: Store) -> None:
        e = self.engine
        size = d.words * e.word_bytes
        starts = _UNIT * self._addresses(
            d.ddr, ((d.images, d.image_stride), (d.rows, d.row_stride), (d.columns, d.column_stride))
        )
        data = self._pop(len(starts) * d.words).reshape(len(self.lanes), len(starts), size)
        for number, lane in enumerate(self.lanes):
            if not d.lane_mask >> lane & 1:
                continue
            for y in range(d.repeat_y):
                for x in range(d.repeat_x):
                    begin = starts + _UNIT * (lane * d.lane_stride + y * d.repeat_row + x * d.repeat_column)
                    self._check_ddr(begin, size, self.writes, f"a store of layer {d.layer}")
                    self.ddr[begin[:, None] + np.arange(size)] = data[number]

    def _pop(self, words: int) -> Array:
        """The next words of every lane's output FIFO, uint8 (lanes, words, bytes)."""
        taken = []
        while words:
            if not self._fifo:
                raise ScheduleError(f"layer {self._registers.layer} stores more than it computes")
            head = self._fifo.popleft()
            if head.shape[1] > words:
                self._fifo.appendleft(head[:, words:])
                head = head[:, :words]
            words -= head.shape[1]
            taken.append(head)
        return np.concatenate(taken, axis=1)

    # computing

    def _check_waits(self, d: Compute) -> None:
        """A compute waits for the loads that it names: that they are there by chance does not do."""
        r = self._registers
        acts = [d.act_tag, *([d.skip_tag] if r.skip_planes and d.last else [])]
        waited = all(_reached(d.need_acts, tag + 1) for tag in acts) and _reached(d.need_weights, d.weight_tag + 1)
        if not waited:
            raise ScheduleError(f"a compute of layer {d.layer} does not wait for a load that it reads")

    def _compute(self, d: Compute) -> None:
        r = self._registers
        self._check_waits(d)
        total = self._products(d) if r.kind == MAC else self._reduced(d)
        if r.kind == MAC:
            if d.first:
                self._acc = total
            else:
                assert self._acc is not None
                self._acc = total = self._acc + total
        if not d.last:
            return
        half = 1 << (self.engine.acc_bits - 1)
        acc = ((total + half) & (2 * half - 1)) - half
        skip = self._skip(d) if r.skip_planes else None
        self._fifo.append(self._activate(d, acc, skip))

    def _taps(self, d: Compute, channel_blocks: int) -> tuple[Array, Array, Array]:
        """Addresses (positions, taps, channel blocks) for block 0 and plane 0, and rows and columns (positions, taps) of lane 0."""
        r = self._registers
        i, y, x = (a.reshape(-1) for a in np.indices((d.images, d.rows, d.columns)))
        ky, kx = (a.reshape(-1) for a in np.indices((d.kernel_y, d.kernel_x)))
        first = d.acts + i * d.image_step + y * d.y_step + x * d.x_step
        taps = first[:, None] + ky * d.ky_step + kx * d.kx_step
        rows = d.y0 + (y * r.stride_y)[:, None] + ky * r.dilation_y
        columns = d.x0 + (x * r.stride_x)[:, None] + kx * r.dilation_x
        return taps[:, :, None] + r.planes * np.arange(channel_blocks), rows, columns

    def _inside(self, rows: Array, columns: Array) -> Array:
        """Whether taps lie in the input, (lanes, positions, taps)."""
        r = self._registers
        across = (columns >= 0) & (columns < r.width)
        lanes = np.array(self.lanes if r.lane_rows else [0])
        there = rows + (lanes * r.lane_rows)[:, None, None]
        return (there >= 0) & (there < r.height) & across

    def _digits(self, d: Compute, address: Array, inside: Array, plane: int) -> Array:
        """Digits uint8 (lanes, *address.shape, columns) of a plane; the pad's outside."""
        e, r = self.engine, self._registers
        inside = inside.reshape(*inside.shape, *(1,) * (address.ndim + 1 - inside.ndim))
        used = np.broadcast_to(inside.any(axis=0), address.shape)
        where = np.where(used, address + plane, 0)
        picked = where[used]
        if picked.size and (picked.min() < 0 or picked.max() >= e.act_words):
            raise ScheduleError(f"a compute of layer {d.layer} reads outside of the activation buffer")
        tags = self._act_tags[picked]
        if ((tags != d.act_tag) & (tags != d.skip_tag)).any():
            raise ScheduleError(f"a compute of layer {d.layer} reads activations of another load")
        digits = self._acts[:, where]
        if not inside.all():
            pad = r.pad >> (e.digit * plane) & ((1 << e.digit) - 1)
            digits = np.where(inside[..., None], digits, np.uint8(pad))
        return digits

    def _products(self, d: Compute) -> Array:
        """Accumulators int64 (lanes, positions, blocks, rows)."""
        e, r = self.engine, self._registers
        address, rows, columns = self._taps(d, d.channel_blocks)
        inside = self._inside(rows, columns)
        matrices = self._matrix(d)
        inputs = d.kernel_y * d.kernel_x * d.channel_blocks * e.columns
        shape = (len(self.lanes), len(address), d.blocks, e.rows)
        total = np.zeros(shape, np.int64)
        for plane in range(r.planes):
            shared = None if d.block_step else self._digits(d, address, inside, plane).reshape(-1, inputs)
            for block in range(d.blocks) if shared is None else (None,):
                digits = shared
                if block is not None:
                    digits = self._digits(d, address + block * d.block_step, inside, plane).reshape(-1, inputs)
                assert digits is not None
                for weight_plane in range(r.weight_planes):
                    matrix = matrices[plane * r.weight_planes + weight_plane]
                    part = matrix if block is None else matrix[:, block * e.rows : (block + 1) * e.rows]
                    sums = (digits.astype(matrix.dtype) @ part).astype(np.int64)
                    shift = e.digit * (plane + weight_plane)
                    if block is None:
                        total += sums.reshape(shape) << shift
                    else:
                        total[:, :, block] += sums.reshape(*shape[:2], e.rows) << shift
        return total

    def _matrix(self, d: Compute) -> list[Array]:
        """Weights by plane and weight plane, float (taps * channel blocks * columns, blocks * rows)."""
        e, r = self.engine, self._registers
        pairs, places = r.planes * r.weight_planes, d.kernel_y * d.kernel_x * d.channel_blocks
        steps = places * pairs
        end = d.weights + d.blocks * steps
        if end > e.weight_words or (self._weight_tags[d.weights : end] != d.weight_tag).any():
            raise ScheduleError(f"a compute of layer {d.layer} reads weights of another load")
        key = (d.layer, d.weight_tag, d.weights, d.blocks)
        if key in self._matrices:
            return self._matrices[key]
        digits = self._weights[d.weights : end].reshape(d.blocks, places, pairs, e.rows, e.columns)
        greatest = places * e.columns << (2 * e.digit)
        found = []
        for pair in range(pairs):
            values = digits[:, :, pair].astype(np.int32)
            if pair % r.weight_planes == r.weight_planes - 1:
                values -= (values >> (e.digit - 1)) << e.digit
            flat = values.transpose(1, 3, 0, 2).reshape(places * e.columns, d.blocks * e.rows)
            found.append(np.ascontiguousarray(flat, np.float32 if greatest < _EXACT else np.float64))
        if len(self._matrices) > 4:
            self._matrices.clear()
        self._matrices[key] = found
        return found

    def _reduced(self, d: Compute) -> Array:
        """Maxima or sums int64 (lanes, positions, blocks, columns)."""
        e, r = self.engine, self._registers
        address, rows, columns = self._taps(d, 1)
        inside = self._inside(rows, columns)
        blocks = address + d.block_step * np.arange(d.blocks)
        values = np.zeros((len(self.lanes), *blocks.shape, e.columns), np.int64)
        for plane in range(r.planes):
            values += self._digits(d, blocks, inside, plane).astype(np.int64) << (e.digit * plane)
        reduced: Array = values.max(axis=2) if r.kind == MAX else values.sum(axis=2)
        return reduced

    def _skip(self, d: Compute) -> Array:
        """The second operand of a join, int64 (lanes, positions, blocks, rows)."""
        e, r = self.engine, self._registers
        spread = e.spread if r.kind == MAC else 1
        i, y, x = (a.reshape(-1) for a in np.indices((d.images, d.rows, d.columns)))
        first = d.skip + i * d.skip_image + y * d.skip_row + x * d.skip_pixel
        each = spread * r.skip_planes
        address = first[:, None] + np.arange(d.blocks * each)
        if address.max() >= e.act_words or (self._act_tags[address] != d.skip_tag).any():
            raise ScheduleError(f"a compute of layer {d.layer} joins activations of another load")
        digits = self._acts[:, address].astype(np.int64)
        split = digits.reshape(len(self.lanes), len(first), d.blocks, spread, r.skip_planes, e.columns)
        shifts = e.digit * np.arange(r.skip_planes).reshape(-1, 1)
        return (split << shifts).sum(axis=4).reshape(len(self.lanes), len(first), d.blocks, spread * e.columns)

    # the activation unit

    def _activate(self, d: Compute, acc: Array, skip: Array | None) -> Array:
        """Results as words uint8 (lanes, words, bytes)."""
        e, r = self.engine, self._registers
        rows = acc.shape[3]
        parameters = slice(d.parameter, d.parameter + d.blocks)
        if parameters.stop > e.parameter_words or (self._parameter_tags[parameters] != d.weight_tag).any():
            raise ScheduleError(f"a compute of layer {d.layer} reads parameters of another load")
        words = self._parameters[parameters, :rows]
        tables = self._table(d)[:, :, :rows]
        result = searched(r, acc, tables) if r.mode == SEARCH else by_word(r, acc, words, tables)
        if d.layer in self.record:
            self.inner.setdefault(d.layer, []).append(result)
        if skip is not None:
            result = joined(r, result, skip)
        shifts = e.digit * np.arange(r.out_planes).reshape(-1, 1)
        split = result.reshape(*result.shape[:3], rows // e.columns, 1, e.columns) >> shifts
        packed = pack_digits(split & ((1 << e.digit) - 1), e.digit)
        return packed.reshape(len(self.lanes), -1, e.word_bytes)

    def _table(self, d: Compute) -> Array:
        """Table words uint64 (blocks, tables_each, rows) of a compute."""
        each = self._registers.tables_each
        first, end = d.parameter * each, (d.parameter + d.blocks) * each
        if end > self.engine.table_words or (self._table_tags[first:end] != d.weight_tag).any():
            raise ScheduleError(f"a compute of layer {d.layer} reads tables of another load")
        return self._tables[first:end].reshape(d.blocks, each, self.engine.rows)


def _reached(counter: int, wanted: int) -> bool:
    """Whether a counter has reached a number of 16 bits."""
    return (counter - wanted) & 0x8000 == 0
