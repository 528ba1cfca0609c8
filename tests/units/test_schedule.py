"""Schedules: the ring window step by step, and what holds for every unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flowc.model.dtypes import SInt, UInt
from flowc.units import (
    Activate,
    ArgMax,
    Concat,
    Fork,
    Frame,
    Gather,
    GlobalSum,
    Join,
    Mvtu,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Split,
    Table,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
)  # fmt: skip
from flowc.units.schedule import RING_GAP, Ring


def stepwise(ring: Ring) -> tuple[int, list[int], list[int]]:
    """The ring's loop, iteration by iteration: cycles, reads, writes."""
    (kh, kw), (th, tw), (dh, dw), (out_h, out_w) = ring.kernel, ring.stride, ring.dilation, ring.out
    words, row, last = ring.words, ring.width * ring.words, ring.block_words - 1
    given = []
    for oy in range(out_h):
        for ox in range(out_w):
            for b in range(ring.blocks):
                for tap in range(kh * kw):
                    for w in range(ring.block_words):
                        y, x = oy * th + tap // kw * dh, ox * tw + tap % kw * dw
                        freed = 1 if tap == 0 else 0
                        if (b, tap, w) == (ring.blocks - 1, kh * kw - 1, last):
                            freed = tw * words - words
                            if ox == out_w - 1:
                                freed = th * row - (out_w - 1) * tw * words - words
                        given.append((y * row + x * words + b * ring.block_words + w, freed))
    needed = max(word for word, _ in given) + 1
    received = visible = done = step = 0
    limit = ring.size
    arriving, freeing = [0] * RING_GAP, [0] * RING_GAP
    reads, writes = [], []
    while done < len(given) or received < ring.height * row:
        visible += arriving.pop()
        limit += freeing.pop()
        arrive = free = 0
        if done < len(given) and given[done][0] < visible:
            writes.append(step)
            free = given[done][1]
            done += 1
        if received < ring.height * row and (received < limit or received >= needed):
            arrive = int(received < needed)
            reads.append(step)
            received += 1
        arriving.insert(0, arrive)
        freeing.insert(0, free)
        step += 1
    return step, reads, writes


def test_ring_is_its_loop() -> None:
    rng = np.random.default_rng(5)
    tried = 0
    while tried < 150:
        height, width = (int(n) for n in rng.integers(1, 13, 2))
        kernel, stride, dilation = ((int(a), int(b)) for a, b in (rng.integers(1, n, 2) for n in (5, 4, 3)))
        ring = Ring(
            height,
            width,
            int(rng.integers(1, 4)),
            int(rng.integers(1, 4)),
            kernel,
            stride,
            dilation,
            int(rng.integers(0, 3)),
            int(rng.integers(0, 2 * RING_GAP + 1)),
        )
        if kernel == (1, 1) or min(ring.out) < 1:
            continue
        cycles, reads, writes = stepwise(ring)
        schedule = ring.schedule()
        assert ring.cycles == schedule.cycles == cycles
        assert schedule.reads[0].dense().tolist() == reads
        assert schedule.writes[0].dense().tolist() == writes
        assert ring.least_cycles <= cycles
        tried += 1


def test_a_ring_just_above_a_memory_is_made_to_fill_it() -> None:
    """30 x 30 pixels under 3 x 3 are 63 words and 8 of slack: 64 are enough. Where a word would come later, all 8 stay."""
    snug = Ring(30, 30, 1, 1, (3, 3), (1, 1), (1, 1)).snug()
    assert (snug.reach, snug.size) == (63, 64)
    tried = 0
    for width in range(5, 33):
        for kernel, stride, spare in (((3, 3), (1, 1), 0), ((3, 3), (2, 2), 1), ((2, 2), (2, 2), 1)):
            for words in (1, 2, 3):
                ring = Ring(kernel[0] + 4, width, 1, words, kernel, stride, (1, 1), spare)
                snug = ring.snug()
                step = 32 if ring.size < 64 else 64
                less = replace(ring, slack=ring.size // step * step - ring.reach)
                if less.slack < 0:
                    assert snug == ring
                    continue
                whole, short = stepwise(ring), stepwise(less)
                alike = whole[0] == short[0] and whole[2] == short[2]
                assert snug == (less if alike else ring)
                tried += snug != ring
    assert tried > 20


F = Frame(6, 5, 8, UInt(2))
WIDE = Frame(4, 5, 9 * 8, UInt(2))
UNITS: list[Unit] = [
    Pad(name="pad", frame=F, out=Frame(9, 8, 8, UInt(2)), top=1, left=2, bottom=2, right=1, simd=4),
    Window(name="ring", frame=F, kernel=(3, 3), block=8, simd=2),
    Window(name="depthwise", frame=F, kernel=(3, 3), stride=(2, 2), block=2, simd=2),
    Window(name="parallel", frame=F, kernel=(3, 3), stride=(1, 2), block=4, simd=4, parallel=True),
    Window(name="subsample", frame=F, kernel=(1, 1), stride=(2, 2), block=8, simd=4),
    Mvtu(name="mvtu", frame=WIDE, weights=np.ones((6, 72), np.int64), weight_type=SInt(2), acc=SInt(12), taps=9, block=8, pe=3, simd=4),
    Mvtu(name="grouped", frame=WIDE, weights=np.ones((8, 36), np.int64), weight_type=SInt(2), acc=SInt(12), groups=2, taps=9, block=4, pe=2, simd=6),
    Vvtu(name="vvtu", frame=WIDE, channels=8, weights=np.ones((16, 9), np.int64), weight_type=SInt(2), acc=SInt(12), pe=4),
    Vvtu(name="vvtu_parallel", frame=WIDE, channels=8, weights=np.ones((8, 9), np.int64), weight_type=SInt(2), acc=SInt(12), pe=4, parallel=True),
    Pool(name="pool", frame=WIDE, channels=8, op="max", acc=UInt(2), pe=2),
    GlobalSum(name="sum", frame=F, acc=UInt(8), pe=2),
    Activate(name="activate", frame=F, activation=Table(dtype=UInt(2), lo=0, values=np.zeros((1, 4), np.int64)), pe=4),
    Join(name="join", left=F, right=F, op="add", acc=UInt(3), left_scale=np.ones(1, np.int64), right_scale=np.ones(1, np.int64), pe=4),
    ArgMax(name="argmax", frame=F, pe=4),
    Fork(name="fork", frame=F, simd=2, ways=3),
    Concat(name="concat", frames=(F, Frame(6, 5, 4, UInt(2))), out=Frame(6, 5, 12, UInt(2)), simd=4),
    Split(name="split", frame=F, starts=(0, 6), sizes=(4, 2), simd=2),
    Upsample(name="upsample", frame=F, simd=4, factor_h=2, factor_w=3),
    PixelPad(name="pixel_pad", frame=F, out=Frame(11, 9, 8, UInt(2)), stride_h=2, stride_w=2, simd=2),
    Permute(name="permute", frame=F, out=F, order=np.arange(40)[::-1]),
    Gather(name="gather", frame=F, out=Frame(6, 7, 8, UInt(2)), order=np.arange(56) * 5 // 7),
    WidthConverter(name="widen", frame=F, wide_in=2, wide_out=8),
    WidthConverter(name="narrow", frame=F, wide_in=8, wide_out=2),
    WidthConverter(name="gear_up", frame=F, wide_in=2, wide_out=3),
    WidthConverter(name="gear_down", frame=F, wide_in=5, wide_out=3),
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_every_beat_has_its_iteration(unit: Unit) -> None:
    schedule = unit.schedule()
    assert schedule.cycles == unit.cycles
    ports = [*zip(schedule.reads, unit.inputs, unit.in_widths, strict=True)]
    ports += [*zip(schedule.writes, unit.outputs, unit.out_widths, strict=True)]
    for runs, frame, width in ports:
        beats = runs.dense()
        assert beats.size == runs.size == frame.elements // width
        assert beats.dtype == np.int64
        assert (np.diff(beats) > 0).all()
        assert beats[0] >= 0
        assert beats[-1] < schedule.cycles
    if not isinstance(unit, Permute):  # it may idle after its last element
        assert max(p.last for p in (*schedule.reads, *schedule.writes)) == schedule.cycles - 1


@pytest.mark.parametrize(
    "unit", [u for u in UNITS if isinstance(u, WidthConverter | Fork | Upsample)], ids=lambda u: u.name
)
def test_nothing_is_given_before_it_was_taken(unit: Unit) -> None:
    schedule = unit.schedule()
    came = np.repeat(schedule.reads[0].dense(), unit.in_widths[0])
    for port, width in zip(schedule.writes, unit.out_widths, strict=True):
        left = np.repeat(port.dense(), width)
        if isinstance(unit, Upsample):
            source = np.arange(F.elements).reshape(1, *F.shape)
            came = came[unit.emulate(source)[0].reshape(-1)]
        assert (left >= came).all()


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_every_unit_says_what_it_costs(unit: Unit) -> None:
    used = unit.resources
    assert all(v is None or v >= 0 for v in used.as_dict().values())
    assert (used.lut or 0) > 0


def test_parallel_window_gives_when_its_last_pixel_comes() -> None:
    unit = Window(name="w", frame=Frame(4, 4, 2, UInt(2)), kernel=(2, 2), block=2, simd=2, parallel=True)
    assert unit.schedule().writes[0].dense().tolist() == [5, 6, 7, 9, 10, 11, 13, 14, 15]


def test_matrix_unit_takes_in_the_first_row_fold_and_gives_in_the_last_column_fold() -> None:
    unit = Mvtu(
        name="m", frame=Frame(1, 2, 4, UInt(2)), weights=np.ones((6, 4), np.int64), weight_type=SInt(2), acc=SInt(8), block=4, pe=3, simd=2
    )  # fmt: skip
    assert unit.schedule().reads[0].dense().tolist() == [0, 1, 4, 5]
    assert unit.schedule().writes[0].dense().tolist() == [1, 3, 5, 7]
