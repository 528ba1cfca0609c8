"""Random units of every kind, and designs that hold several of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import (
    Activate,
    Activation,
    ArgMax,
    Array,
    Concat,
    Fork,
    Frame,
    Gather,
    GlobalSum,
    InputPort,
    Join,
    Lookup,
    Mvtu,
    OutputPort,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Requant,
    Split,
    Table,
    Thresholds,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
    divisors,
)
from flowc.units.graph import Dataflow, Stream
from flowc.units.packing import packing

Random = np.random.Generator
T = TypeVar("T")


def pick(rng: Random, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def integers(rng: Random, dtype: IntType, shape: tuple[int, ...], extreme: bool = False) -> Array:
    """Random values of a type; with ``extreme`` each frame is all least or all greatest."""
    if extreme:
        ends = np.array([dtype.lo, dtype.hi])
        return np.broadcast_to(ends[np.arange(shape[0]) % 2].reshape(-1, *[1] * (len(shape) - 1)), shape).copy()
    if dtype.bipolar:
        return 2 * rng.integers(0, 2, shape) - 1
    return rng.integers(dtype.lo, dtype.hi, shape, endpoint=True)


def element_type(rng: Random, widest: int = 8) -> IntType:
    bits = int(rng.integers(1, widest + 1))
    return pick(rng, [UInt(bits), SInt(bits), BIPOLAR])


def activation(rng: Random, source: IntType, channels: int) -> Activation | None:
    """Any activation over the whole range of ``source``, with thresholds beyond it and exact ties."""
    lo, hi = source.lo, source.hi
    sets = pick(rng, [1, channels])
    kinds = ["none", "thresholds", "stepped", "requant", "half_even", "late"]
    kind = pick(rng, [*kinds, "table"] if hi - lo < 1024 else kinds)
    if kind == "none":
        return None
    if kind in ("thresholds", "stepped"):
        levels, style = int(rng.integers(1, 16)), pick(rng, ["auto", "compare", "search"])
        values = np.sort(rng.integers(lo - 3, hi + 4, (sets, levels)), axis=1)
        if kind == "thresholds":
            if levels == 1 and rng.random() < 0.5:
                base, step = np.full(sets, -1), np.full((1, 1), 2)
                return Thresholds(dtype=BIPOLAR, values=values, base=base, step=step, style=style)
            return Thresholds(
                dtype=UInt(4), values=values, base=np.zeros(sets, np.int64), step=np.ones((1, 1), np.int64), style=style
            )
        step = rng.integers(-3, 4, (sets, levels))
        return Thresholds(dtype=SInt(8), values=values, base=rng.integers(-50, 50, sets), step=step, style=style)
    if kind == "late":
        out = pick(rng, [UInt(3), SInt(4)])
        mult, add = rng.integers(-60, 60, sets), rng.integers(-(1 << 9), 1 << 9, sets)
        late = rng.integers(0, 4, (pick(rng, [1, sets]), out.hi - out.lo))
        return Requant(dtype=out, mult=mult, add=add, shift=7, lo=out.lo, hi=out.hi, late=late)
    if kind in ("requant", "half_even"):
        out = pick(rng, [UInt(4), SInt(5), SInt(8)])
        mult = rng.integers(-(1 << 12), 1 << 12, sets)
        add = rng.integers(-(1 << 14), 1 << 14, pick(rng, [1, sets]))
        shift = int(rng.integers(0, 14))
        if kind == "half_even":
            mult, add, shift = np.ones_like(mult), np.zeros_like(add), int(rng.integers(0, 5))
        return Requant(
            dtype=out, mult=mult, add=add, shift=shift, lo=out.lo, hi=out.hi - 1, half_even=kind == "half_even"
        )
    values = rng.integers(-8, 8, (sets, hi - lo + 1))
    return Table(dtype=SInt(4), lo=lo, values=values)


def accumulator(weights: Array, dtype: IntType) -> IntType:
    """A type in which every partial sum of products with ``weights`` (rows, fan-in) fits."""
    reach = int(np.abs(weights).sum(axis=1).max()) * max(abs(dtype.lo), dtype.hi)
    return IntType.for_range(-max(1, reach), max(1, reach))


def window(rng: Random, name: str, *, block: str, parallel: bool = False) -> Window:
    kernel = pick(rng, [(3, 3), (2, 2), (1, 3), (3, 1), (1, 1), (2, 3), (5, 2)])
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = pick(rng, [(1, 1), (1, 1), (2, 1), (1, 2), (2, 3)])
    h = (kernel[0] - 1) * dilation[0] + int(rng.integers(1, 8))
    w = (kernel[1] - 1) * dilation[1] + int(rng.integers(1, 8))
    c = pick(rng, [1, 2, 3, 4, 6, 8, 12])
    size = c if block == "all" else pick(rng, divisors(c))
    simd = size if parallel else pick(rng, divisors(size))
    return Window(
        name=name, frame=Frame(h, w, c, element_type(rng)), kernel=kernel, stride=stride, dilation=dilation, block=size,
        simd=simd, parallel=parallel, spare=int(rng.integers(0, 3)),
    )  # fmt: skip


def several(rng: Random) -> int:
    return pick(rng, [2, 2, 3, 4, 6])


def window_of_pixels(rng: Random, name: str) -> Window:
    """A window that takes several pixels per cycle, of rows that need not be whole beats."""
    pixels = several(rng)
    kernel = pick(rng, [(3, 3), (2, 2), (1, 3), (3, 1), (1, 1), (2, 3), (5, 4)])
    stride = (int(rng.integers(1, 4)), pick(rng, [s for s in (1, 2, 3) if pixels % s == 0]))
    dilation = pick(rng, [(1, 1), (1, 1), (2, 1), (1, 2), (2, 5)])
    h = (kernel[0] - 1) * dilation[0] + int(rng.integers(1, 8))
    positions = pixels // stride[1] * int(rng.integers(1, 5))
    w = (kernel[1] - 1) * dilation[1] + (positions - 1) * stride[1] + 1 + int(rng.integers(0, stride[1]))
    c = pick(rng, [1, 2, 3])
    return Window(
        name=name, frame=Frame(h, w, c, element_type(rng)), kernel=kernel, stride=stride, dilation=dilation, block=c,
        simd=c, parallel=True, pixels=pixels,
    )  # fmt: skip


def make_window(rng: Random, name: str) -> Window:
    return window(rng, name, block=pick(rng, ["all", "some"]), parallel=bool(rng.random() < 0.4))


def filler(rng: Random, dtype: IntType) -> tuple[int, IntType]:
    """What padding is made of, of the elements' type or beyond it, and the type that holds both."""
    if rng.random() < 0.5:
        return int(integers(rng, dtype, (1,))[0]), dtype
    value = int(rng.choice([0, -3, 9]))
    return value, dtype if dtype.holds(value, value) else IntType.for_range(min(dtype.lo, value), max(dtype.hi, value))


def make_pad(rng: Random, name: str) -> Pad:
    c, dtype = pick(rng, [1, 2, 6]), element_type(rng)
    h, w = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    top, left, bottom, right = (int(v) for v in rng.integers(0, 3, 4))
    value, result = filler(rng, dtype)
    out = Frame(h + top + bottom, w + left + right, c, result)
    return Pad(
        name=name, frame=Frame(h, w, c, dtype), out=out, top=top, left=left, bottom=bottom, right=right, value=value,
        simd=pick(rng, divisors(c)),
    )  # fmt: skip


def make_pixel_pad(rng: Random, name: str) -> PixelPad:
    c, dtype = pick(rng, [1, 2, 6]), element_type(rng)
    h, w, sh, sw = (int(v) for v in rng.integers(1, 5, 4))
    value, result = filler(rng, dtype)
    out = Frame((h - 1) * sh + 1, (w - 1) * sw + 1, c, result)
    return PixelPad(
        name=name,
        frame=Frame(h, w, c, dtype),
        out=out,
        stride_h=sh,
        stride_w=sw,
        value=value,
        simd=pick(rng, divisors(c)),
    )


def make_lookup(rng: Random, name: str) -> Lookup:
    rows, width = int(rng.integers(1, 40)), int(rng.integers(1, 13))
    frame = Frame(1, int(rng.integers(1, 4)), int(rng.integers(1, 4)), element_type(rng))
    dtype = element_type(rng)
    first = int(rng.integers(frame.dtype.lo, min(frame.dtype.hi, frame.dtype.lo + 3) + 1))
    out = Frame(1, frame.elements, width, dtype)
    table = integers(rng, dtype, (rows, width))
    return Lookup(name=name, frame=frame, table=table, dtype=dtype, first=first, out=out, pe=pick(rng, divisors(width)))


def make_mvtu(rng: Random, name: str) -> Mvtu:
    groups = pick(rng, [1, 1, 1, 2, 3])
    taps = pick(rng, [1, 1, 4, 9])
    cg = pick(rng, [1, 2, 3, 4, 8, 70])
    rows = pick(rng, [1, 2, 3, 4, 10])
    block = pick(rng, divisors(cg))
    dtype, weight_type = element_type(rng), element_type(rng)
    if rng.random() < 0.3:
        dtype = weight_type = BIPOLAR
    mw = taps * cg
    weights = integers(rng, weight_type, (groups * rows, mw))
    acc = accumulator(weights, dtype)
    return Mvtu(
        name=name, frame=Frame(int(rng.integers(1, 3)), int(rng.integers(1, 4)), groups * mw, dtype), weights=weights,
        weight_type=weight_type, acc=acc, activation=activation(rng, acc, groups * rows), groups=groups, taps=taps,
        block=block, pe=pick(rng, divisors(rows)), simd=pick(rng, divisors(mw)),
        memory=pick(rng, ["auto", "lutram", "bram"]),
        multiplier=pick(rng, ["auto", "lut", "dsp", *(["packed"] * 2 if packing(weight_type, dtype, 2, 25) else [])]),
    )  # fmt: skip


def make_vvtu(rng: Random, name: str) -> Vvtu:
    c, taps, copies = pick(rng, [1, 2, 6, 8]), pick(rng, [1, 4, 9]), pick(rng, [1, 1, 2])
    dtype, weight_type = element_type(rng), element_type(rng)
    weights = integers(rng, weight_type, (c * copies, taps))
    acc = accumulator(weights, dtype)
    return Vvtu(
        name=name, frame=Frame(2, int(rng.integers(1, 4)), taps * c, dtype), channels=c, weights=weights,
        weight_type=weight_type, acc=acc, activation=activation(rng, acc, c * copies), pe=pick(rng, divisors(c)),
        parallel=bool(rng.random() < 0.5), multiplier=pick(rng, ["auto", "lut", "dsp"]),
    )  # fmt: skip


def make_pool(rng: Random, name: str) -> Pool:
    c, taps, dtype = pick(rng, [1, 2, 6]), pick(rng, [1, 4, 9]), element_type(rng)
    op = pick(rng, ["max", "sum"])
    acc = dtype if op == "max" else accumulator(np.ones((1, taps), np.int64), dtype)
    return Pool(
        name=name, frame=Frame(2, 3, taps * c, dtype), channels=c, op=op, acc=acc, activation=activation(rng, acc, c),
        pe=pick(rng, divisors(c)), parallel=bool(rng.random() < 0.5),
    )  # fmt: skip


def make_global_sum(rng: Random, name: str) -> GlobalSum:
    c, dtype = pick(rng, [1, 2, 6, 12, 16]), element_type(rng)
    h, w = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    acc = accumulator(np.ones((1, h * w), np.int64), dtype)
    return GlobalSum(
        name=name, frame=Frame(h, w, c, dtype), acc=acc, activation=activation(rng, acc, c), pe=pick(rng, divisors(c))
    )


def make_activate(rng: Random, name: str) -> Activate:
    c = pick(rng, [1, 2, 6])
    dtype = pick(rng, [element_type(rng), SInt(12), SInt(20)])
    chosen = None
    while chosen is None:
        chosen = activation(rng, dtype, c)
    return Activate(name=name, frame=Frame(2, 2, c, dtype), activation=chosen, pe=pick(rng, divisors(c)))


def make_join(rng: Random, name: str) -> Join:
    c, left, right = pick(rng, [1, 2, 6]), element_type(rng), element_type(rng)
    op = pick(rng, ["add", "mul"])
    reach = max(abs(left.lo), left.hi), max(abs(right.lo), right.hi)
    scales, offsets = [np.ones(1, np.int64)] * 2, (0, 0)
    if op == "add":
        scales = [rng.integers(-9, 10, pick(rng, [1, c])) for _ in range(2)]
        bound = sum(int(np.abs(s).max()) * r for s, r in zip(scales, reach, strict=True))
    else:
        offsets = int(rng.integers(-4, 5)), int(rng.integers(-4, 5))
        bound = (reach[0] + 4) * (reach[1] + 4)
    acc = IntType.for_range(-bound - 1, bound + 1)
    return Join(
        name=name, left=Frame(2, 3, c, left), right=Frame(2, 3, c, right), op=op, acc=acc, left_scale=scales[0],
        right_scale=scales[1], left_offset=offsets[0], right_offset=offsets[1], activation=activation(rng, acc, c),
        pe=pick(rng, divisors(c)),
    )  # fmt: skip


def make_fork(rng: Random, name: str) -> Fork:
    return Fork(
        name=name, frame=Frame(2, 2, 6, element_type(rng)), simd=pick(rng, divisors(6)), ways=pick(rng, [1, 2, 3])
    )


def make_concat(rng: Random, name: str) -> Concat:
    """Of one type, or of several: unsigned, signed and bipolar ones."""
    simd, ways = pick(rng, [1, 2]), pick(rng, [1, 2, 3])
    dtypes = pick(rng, [[element_type(rng)] * ways, [element_type(rng) for _ in range(ways)]])
    channels = [simd * int(rng.integers(1, 4)) for _ in dtypes]
    frames = tuple(Frame(2, 2, c, dtype) for c, dtype in zip(channels, dtypes, strict=True))
    same = all(dtype == dtypes[0] for dtype in dtypes)
    dtype = dtypes[0] if same else IntType.for_range(min(t.lo for t in dtypes), max(t.hi for t in dtypes))
    return Concat(name=name, frames=frames, out=Frame(2, 2, sum(channels), dtype), simd=simd)


def make_split(rng: Random, name: str) -> Split:
    simd = pick(rng, [1, 2])
    starts, sizes = pick(rng, [((0, 4), (4, 8)), ((4,), (2,)), ((8, 0), (4, 2)), ((0, 6, 2), (2, 4, 4))])
    return Split(name=name, frame=Frame(2, 2, 12, element_type(rng)), simd=simd, starts=starts, sizes=sizes)


def make_upsample(rng: Random, name: str) -> Upsample:
    c = pick(rng, [1, 2, 8, 20])
    h, w, fh, fw = (int(v) for v in rng.integers(1, 4, 4))
    return Upsample(
        name=name, frame=Frame(h, w, c, element_type(rng)), simd=pick(rng, divisors(c)), factor_h=fh, factor_w=fw
    )


def make_permute(rng: Random, name: str) -> Permute:
    h, w, c = 2, int(rng.integers(1, 5)), pick(rng, [2, 8, 20])
    chunk = pick(rng, [d for d in divisors(h * w * c) if d > 1])
    order = pick(rng, [rng.permutation(chunk), np.arange(chunk)[::-1].copy(), np.arange(chunk)])
    dtype = element_type(rng)
    return Permute(name=name, frame=Frame(h, w, c, dtype), out=Frame(w, h, c, dtype), order=order)


def make_gather(rng: Random, name: str) -> Gather:
    h, w, c = 2, int(rng.integers(1, 5)), pick(rng, [2, 8, 20])
    taken, given = w * c, c * int(rng.integers(1, 7))
    order = rng.integers(0, taken, given)
    dtype = element_type(rng)
    return Gather(name=name, frame=Frame(h, w, c, dtype), out=Frame(h, given // c, c, dtype), order=order)


def make_argmax(rng: Random, name: str) -> ArgMax:
    c = pick(rng, [2, 3, 6, 10])
    return ArgMax(name=name, frame=Frame(2, 2, c, element_type(rng)), pe=pick(rng, divisors(c)))


def make_width_converter(rng: Random, name: str) -> WidthConverter:
    frame = Frame(2, 3, 24, element_type(rng))
    options = divisors(frame.elements)
    return WidthConverter(name=name, frame=frame, wide_in=pick(rng, options), wide_out=pick(rng, options))


MAKERS: dict[str, Callable[[Random, str], Unit]] = {
    "activate": make_activate,
    "argmax": make_argmax,
    "concat": make_concat,
    "fork": make_fork,
    "global_sum": make_global_sum,
    "join": make_join,
    "lookup": make_lookup,
    "mvtu": make_mvtu,
    "pad": make_pad,
    "gather": make_gather,
    "permute": make_permute,
    "pixel_pad": make_pixel_pad,
    "pool": make_pool,
    "split": make_split,
    "upsample": make_upsample,
    "vvtu": make_vvtu,
    "width_converter": make_width_converter,
    "window": make_window,
}


def pixel_mvtu(rng: Random, name: str) -> Mvtu:
    unit = make_mvtu(rng, name)
    while unit.groups > 1:
        unit = make_mvtu(rng, name)
    pixels = several(rng)
    frame = Frame(2, pixels * int(rng.integers(1, 3)), unit.frame.c, unit.frame.dtype)
    return unit.with_(frame=frame, pixels=pixels, pe=unit.mh, simd=unit.mw)


def pixel_vvtu(rng: Random, name: str) -> Vvtu:
    unit, pixels = make_vvtu(rng, name), several(rng)
    frame = Frame(2, pixels * int(rng.integers(1, 3)), unit.frame.c, unit.frame.dtype)
    return unit.with_(frame=frame, pixels=pixels, pe=unit.channels, parallel=True)


def pixel_pool(rng: Random, name: str) -> Pool:
    unit, pixels = make_pool(rng, name), several(rng)
    frame = Frame(2, pixels * int(rng.integers(1, 3)), unit.frame.c, unit.frame.dtype)
    return unit.with_(frame=frame, pixels=pixels, pe=unit.channels, parallel=True)


def pixel_activate(rng: Random, name: str) -> Activate:
    unit, pixels = make_activate(rng, name), several(rng)
    frame = Frame(2, pixels * 2, unit.frame.c, unit.frame.dtype)
    return unit.with_(frame=frame, pe=pixels * unit.frame.c)


def pixel_join(rng: Random, name: str) -> Join:
    unit, pixels = make_join(rng, name), several(rng)
    left, right = (Frame(2, pixels * 2, f.c, f.dtype) for f in (unit.left, unit.right))
    return unit.with_(left=left, right=right, pe=pixels * left.c)


def pixel_fork(rng: Random, name: str) -> Fork:
    unit, pixels = make_fork(rng, name), several(rng)
    return unit.with_(frame=Frame(2, pixels * 2, 6, unit.frame.dtype), simd=pixels * 6)


def pixel_pad(rng: Random, name: str) -> Pad:
    unit, pixels = make_pad(rng, name), several(rng)
    left = int(rng.integers(0, 2 * pixels))
    frame = Frame(unit.frame.h, pixels * int(rng.integers(1, 4)), unit.frame.c, unit.frame.dtype)
    out = Frame(unit.out.h, left + frame.w + unit.right, frame.c, unit.out.dtype)
    return unit.with_(frame=frame, out=out, left=left, pixels=pixels, simd=frame.c)


PIXEL_MAKERS: dict[str, Callable[[Random, str], Unit]] = {
    "activate": pixel_activate,
    "fork": pixel_fork,
    "join": pixel_join,
    "mvtu": pixel_mvtu,
    "pad": pixel_pad,
    "pool": pixel_pool,
    "vvtu": pixel_vvtu,
    "window": window_of_pixels,
}
"""The kinds that can take several pixels per cycle, doing so."""


def side_by_side(units: Sequence[Unit]) -> Dataflow:
    """A design in which every unit stands alone between ports of its own."""
    everything: list[Unit] = []
    streams: list[Stream] = []
    for unit in units:
        for i, (frame, width) in enumerate(zip(unit.inputs, unit.in_widths, strict=True)):
            port = f"{unit.name}_x{i}"
            everything.append(InputPort(name=port, tensor=port, tensor_shape=frame.shape, frame=frame, simd=width))
            streams.append(Stream(port, unit.name, 0, i))
        everything.append(unit)
        for i, (frame, width) in enumerate(zip(unit.outputs, unit.out_widths, strict=True)):
            port = f"{unit.name}_y{i}"
            everything.append(OutputPort(name=port, tensor=port, tensor_shape=frame.shape, frame=frame, simd=width))
            streams.append(Stream(unit.name, port, i, 0))
    return Dataflow("side_by_side", everything, streams)


def emulate(graph: Dataflow, inputs: Sequence[Array]) -> list[Array]:
    """The design's function, unit by unit."""
    ports = dict(zip((u.name for u in graph.inputs), inputs, strict=True))
    values: dict[Stream, Array] = {}
    results: dict[str, Array] = {}
    for unit in graph:
        xs = [ports[unit.name]] if isinstance(unit, InputPort) else [values[s] for s in graph.into(unit.name)]
        ys = unit.emulate(*xs)
        if isinstance(unit, OutputPort):
            results[unit.name] = ys[0]
        values.update(zip(graph.out_of(unit.name), ys, strict=False))
    return [np.asarray(results[u.name]).astype(np.int64) for u in graph.outputs]
