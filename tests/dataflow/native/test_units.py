"""The kernels against the units' numpy functions: random units of every kind, extremes included, and types of every width."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.dataflow import native
from flowc.kernels import load
from flowc.kernels.library import ActivationKind, OperationKind
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt, compact
from flowc.units import (
    ACTIVATIONS,
    UNITS,
    Activate,
    Frame,
    GlobalSum,
    Join,
    Mvtu,
    Pool,
    Requant,
    Table,
    Thresholds,
    Unit,
    Vvtu,
    Window,
)
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream
from tests.backends.hls.random_units import MAKERS, integers, side_by_side


def outputs(graph: Dataflow, frames: dict[str, Array]) -> dict[str, Array]:
    """The graph's function, unit by unit in numpy."""
    values: dict[Stream, Array] = {}
    found = {}
    for unit in graph:
        given = [frames[unit.name]] if unit.kind == "input" else [values[s] for s in graph.into(unit.name)]
        shaped = [x.reshape(-1, *f.shape) for x, f in zip(given, unit.inputs, strict=True)]
        results = unit.emulate(*shaped)
        if unit.kind == "output":
            found[unit.name] = results[0].astype(np.int64)
        for stream in graph.out_of(unit.name):
            values[stream] = results[stream.src_port]
    return found


def same(graph: Dataflow, seed: int = 0, samples: int = 4) -> native.Plan:
    """Asserts that the kernels give what numpy gives, on random frames and on extreme ones; the plan says what ran where."""
    rng = np.random.default_rng(seed)
    for extreme in (False, True):
        frames = {u.name: integers(rng, u.frame.dtype, (samples, *u.frame.shape), extreme) for u in graph.inputs}
        wanted, found = outputs(graph, frames), native.run(graph, frames, threads=2)
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values, err_msg=f"{name}, extreme={extreme}")
            assert found[name].dtype == np.int64
    return native.planned(graph)


def alone(unit: Unit) -> Dataflow:
    return side_by_side([unit])


@pytest.mark.parametrize("kind", [k for k in MAKERS if k != "width_converter"])
def test_random_units(kind: str) -> None:
    rng = np.random.default_rng(11)
    graph = side_by_side([MAKERS[kind](rng, f"u{i}") for i in range(40)])
    plan = same(graph)
    by_numpy = plan.numpy_units
    assert len(by_numpy) <= 4, by_numpy


FIELDS = {
    "activate": "activation", "argmax": "", "concat": "frames out", "fork": "ways", "gather": "order out", "global_sum": "acc activation",
    "join": "left right op acc left_scale right_scale left_offset right_offset activation", "lookup": "table dtype first out",
    "mvtu": "weights weight_type acc activation groups taps block multiplier signs dsp_port", "pad": "out top left bottom right value",
    "permute": "order out", "pixel_pad": "out stride_h stride_w value", "pool": "channels op acc activation parallel", "split": "starts sizes",
    "upsample": "factor_h factor_w", "vvtu": "channels weights weight_type acc activation parallel multiplier signs",
    "window": "kernel stride dilation block parallel spare", "thresholds": "values base step style", "requant": "mult add shift lo hi half_even late slices",
    "table": "lo values",
}  # fmt: skip
"""What the planner knows of each class."""
COMMON = {
    "name",
    "origin",
    "overlap",
    "structure",
    "frame",
    "pe",
    "simd",
    "pixels",
    "memory",
    "read_cycles",
    "dtype",
    "domain",
}


@pytest.mark.parametrize("kind", FIELDS)
def test_no_class_has_a_field_that_the_planner_does_not_know(kind: str) -> None:
    """A field that changes what a unit computes must be read by flowc/dataflow/native; then it is added here."""
    found = {f.name for f in fields((UNITS | ACTIVATIONS)[kind])}  # type: ignore[operator]
    assert found - COMMON == set(FIELDS[kind].split()) - COMMON


def chain(window: Window, unit: Mvtu | Vvtu | Pool) -> Dataflow:
    """A window and its reader, between ports."""
    graph = alone(window)
    units = [u for u in graph.units.values() if u.kind != "output"]
    behind = [u for u in alone(unit).units.values() if u.kind == "output"]
    streams = [graph.into(window.name)[0], Stream(window.name, unit.name), Stream(unit.name, behind[0].name)]
    return Dataflow("chain", [*units, unit, *behind], streams)


def accumulator(weights: Array, kind: IntType) -> IntType:
    ends = np.stack([weights * kind.lo, weights * kind.hi])
    return IntType.for_range(int(ends.min(0).sum(1).min()), int(ends.max(0).sum(1).max()))


TYPES = [BIPOLAR, UInt(1), UInt(2), SInt(2), UInt(3), UInt(4), SInt(4), UInt(8), SInt(8), UInt(12), SInt(16)]
WEIGHTS = [
    (-1, 1, 2),
    (-127, 127, 254),
    (0, 1, 1),
    (-2, 1, 1),
    (-1, 1, 1),
    (-8, 7, 1),
    (-128, 127, 1),
    (-2000, 2000, 1),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_products_of_every_width(kind: IntType, weights: tuple[int, int, int]) -> None:
    """Each kernel, in place behind a window and on a stream, in groups and not, with more channels than a block and fewer."""
    rng = np.random.default_rng(3)
    low, high, step = weights
    for groups, channels, rows, kernel, dilation in (
        (1, 8, 70, (3, 3), (1, 1)),
        (2, 8, 6, (2, 3), (1, 2)),
        (1, 3, 17, (3, 2), (2, 1)),
    ):
        own = channels // groups
        w = rng.integers(0, (high - low) // step + 1, (rows, kernel[0] * kernel[1] * own)) * step + low
        w[0], w[-1] = low, high
        frame = Frame(7, 8, channels, kind)
        window = Window(name="w", frame=frame, kernel=kernel, stride=(1, 2), dilation=dilation, block=own)
        unit = Mvtu(
            name="m", frame=window.outputs[0], weights=compact(w), weight_type=IntType.for_range(low, high), acc=accumulator(w, kind),
            groups=groups, taps=kernel[0] * kernel[1], block=own,
        )  # fmt: skip
        fused, streamed = same(chain(window, unit)), same(alone(unit))
        beyond = unit.acc.bits >= 32
        assert bool(fused.numpy_units) == bool(streamed.numpy_units) == beyond
        assert any(s.unit is window for s in fused.steps) == beyond


def kinds_used(plan: native.Plan) -> set[OperationKind]:
    return {call.kind for step in plan.steps for call in step.calls}


def dense(kind: IntType, w: Array, **fields: object) -> Mvtu:
    frame = Frame(2, 3, w.shape[1], kind)
    acc = accumulator(w, kind)
    return Mvtu(name="m", frame=frame, weights=w, weight_type=SInt(32), acc=acc, block=w.shape[1], **fields)  # type: ignore[arg-type]


def test_each_kernel_is_used_where_its_condition_holds() -> None:
    rng = np.random.default_rng(0)
    ternary, byte = rng.integers(-1, 2, (64, 64)), rng.integers(-128, 128, (64, 64))
    word, wide = rng.integers(-3000, 3000, (64, 64)), rng.integers(-(1 << 17), 1 << 17, (64, 8))
    assert OperationKind.BYTES in kinds_used(same(alone(dense(UInt(4), byte))))
    assert OperationKind.PAIRS in kinds_used(same(alone(dense(UInt(8), word))))
    assert OperationKind.WORDS in kinds_used(same(alone(dense(SInt(9), wide))))
    if load().int16_sums:
        assert OperationKind.LOOKUP in kinds_used(same(alone(dense(UInt(2), ternary))))
        assert OperationKind.PAIRS in kinds_used(same(alone(dense(UInt(8), byte))))


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([BIPOLAR, UInt(1), UInt(2)]), ends=st.sampled_from([(-1, 1, 2), (0, 1, 1), (-2, 1, 1)]),
    rows=st.integers(1, 150), columns=st.integers(2, 40), levels=st.integers(1, 7), pixels=st.integers(1, 30), seed=st.integers(0, 999),
)  # fmt: skip
def test_comparisons_of_the_sums_of_lookups(
    kind: IntType, ends: tuple[int, int, int], rows: int, columns: int, levels: int, pixels: int, seed: int
) -> None:
    """In int16, where the sums are below 2^15; any number of channels, of pixels and of thresholds, in and out of reach."""
    rng = np.random.default_rng(seed)
    low, high, step = ends
    w = rng.integers(0, (high - low) // step + 1, (rows, 4 * columns)) * step + low
    acc = accumulator(w, kind)
    values = np.sort(rng.integers(acc.lo - 3, acc.hi + 4, (rows, levels)), axis=1)
    activation = Thresholds(dtype=UInt(8), values=values, base=np.full(rows, 3), step=np.array([[1]]))
    unit = replace(dense(kind, w, activation=activation), frame=Frame(1, pixels, 4 * columns, kind))
    forms = {c.act.act.kind for s in same(alone(unit)).steps for c in s.calls if c.act is not None}
    if load().int16_sums and rows > 100:
        assert forms == {ActivationKind.COMPARE_HALF}


def test_sums_of_lookups_beyond_int16() -> None:
    """33,000 products of ones: comparisons in int32."""
    values = np.array([[32766], [32767], [32768], [33000]])
    activation = Thresholds(dtype=UInt(1), values=values, base=np.zeros(4, np.int64), step=np.array([[1]]))
    w = np.ones((4, 33000), np.int64)
    w[:, 0] = 0
    unit = replace(dense(UInt(1), w, activation=activation), frame=Frame(1, 1, 33000, UInt(1)))
    for ones in (32766, 32767, 32768, 33000):
        x = (np.arange(33000) <= ones).astype(np.int64).reshape(1, 1, 1, -1)
        found = native.run(alone(unit), {"m_x0": x}, threads=1)["m_y0"]
        np.testing.assert_array_equal(found, unit.emulate(x.astype(np.float64))[0])


def test_lines_that_int32_does_not_hold_are_not_used() -> None:
    """Thresholds one apart in accumulators of 31 bits: a line through them leaves int32 at the ends."""
    values = np.arange(-20, 20)[None]
    activation = Thresholds(dtype=UInt(8), values=values, base=np.array([0]), step=np.array([[1]]))
    unit = Activate(name="a", frame=Frame(1, 8, 1, SInt(31)), activation=activation)
    x = np.array([-(1 << 30), -(1 << 29), -21, -20, 0, 19, 1 << 29, (1 << 30) - 1]).reshape(1, 1, 8, 1)
    np.testing.assert_array_equal(native.run(alone(unit), {"a_x0": x}, threads=1)["a_y0"], unit.emulate(x)[0])


def test_what_no_kernel_holds_runs_in_numpy() -> None:
    """Sums beyond int32, and integers beyond int32 on a stream; within the same run as units that have kernels."""
    w = np.full((3, 8), 1 << 21)
    plan = same(alone(dense(SInt(16), w)))
    assert plan.numpy_units == {"m": "integers beyond int32"}
    big = dense(
        SInt(16),
        w,
        activation=Thresholds(dtype=UInt(1), values=np.array([[1 << 33]]), base=np.array([0]), step=np.array([[1]])),
    )
    assert same(alone(big)).numpy_units == {"m": "sums beyond int32"}
    table = Table(dtype=UInt(4), lo=0, values=np.array([[0, 7, 15, 3]]))
    after = Activate(name="a", frame=Frame(2, 3, 5, UInt(2)), activation=table)
    both = same(side_by_side([big, after]))
    assert set(both.numpy_units) == {"m"}


def requants(rng: np.random.Generator, channels: int, span: int) -> list[Requant]:
    mult, add = rng.integers(1, 1 << 10, channels), rng.integers(-(1 << 16), 1 << 16, channels)
    plain = Requant(dtype=UInt(8), mult=mult, add=add, shift=12, lo=0, hi=255)
    return [
        plain,
        replace(plain, half_even=True),
        replace(plain, late=rng.integers(0, 32, (channels, 255))),
        replace(plain, mult=-mult),
        replace(plain, mult=mult * rng.choice([-1, 1], channels)),
        replace(plain, dtype=SInt(4), lo=-8, hi=7),
        replace(plain, dtype=SInt(4), lo=-7, hi=5, half_even=True),
        replace(plain, mult=np.array([1]), shift=3, add=np.array([4])),
        replace(plain, mult=np.array([1]), shift=0),
        replace(plain, dtype=SInt(20), lo=-(1 << 19), hi=(1 << 19) - 1, shift=1),
        replace(plain, mult=mult * 0),
        replace(plain, mult=mult << 40, shift=50),
        replace(plain, dtype=BIPOLAR, lo=-1, hi=-1),
    ]


def test_requantizers_on_every_accumulator() -> None:
    """All forms on all integers of a range, ties and clipping included."""
    rng = np.random.default_rng(5)
    values = np.arange(-2048, 2048)
    for i, activation in enumerate(requants(rng, 6, 2048)):
        unit = Activate(name=f"a{i}", frame=Frame(1, len(values), 6, SInt(12)), activation=activation)
        x = np.repeat(values[None, None, :, None], 6, axis=3)
        graph = alone(unit)
        np.testing.assert_array_equal(native.run(graph, {f"a{i}_x0": x}, threads=1)[f"a{i}_y0"], unit.emulate(x)[0])


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 7, 8, 15, 16, 40, 100, 255])
def test_thresholds_on_every_accumulator(levels: int) -> None:
    """Evenly spread, at random, equal to one another, outside of the range; shared and per channel."""
    rng = np.random.default_rng(levels)
    even = np.sort(np.linspace(-1900, 1900, levels).astype(int) + rng.integers(-2, 3, (9, levels)), axis=1)
    uneven = np.sort(rng.integers(-4000, 4000, (9, levels)), axis=1)
    x = np.repeat(np.arange(-2048, 2048)[None, None, :, None], 9, axis=3)
    for values in (even, uneven, np.sort(uneven // 500 * 500, axis=1), uneven + 6000, uneven - 6000, even[:1]):
        for base, step, kind in ((0, 1, UInt(8)), (-1, 2, SInt(12)), (-128, 1, SInt(8))):
            activation = Thresholds(dtype=kind, values=values, base=np.full(len(values), base), step=np.array([[step]]))
            unit = Activate(name="a", frame=Frame(1, 4096, 9, SInt(12)), activation=activation)
            np.testing.assert_array_equal(native.run(alone(unit), {"a_x0": x}, threads=1)["a_y0"], unit.emulate(x)[0])


def test_uneven_steps_bases_and_tables() -> None:
    rng = np.random.default_rng(8)
    x = np.repeat(np.arange(-64, 64)[None, None, :, None], 5, axis=3)
    values = np.sort(rng.integers(-70, 70, (5, 6)), axis=1)
    own = np.broadcast_to(values, (5, 6))
    for activation in (
        Thresholds(dtype=SInt(8), values=own, base=rng.integers(-9, 9, 5), step=rng.integers(-5, 6, (5, 6))),
        Thresholds(dtype=SInt(8), values=own, base=rng.integers(-9, 9, 5), step=np.array([[1]])),
        Thresholds(dtype=BIPOLAR, values=own[:, :1], base=np.full(5, -1), step=np.array([[2]])),
        Table(dtype=SInt(8), lo=-64, values=rng.integers(-128, 128, (5, 128))),
        Table(dtype=SInt(8), lo=-64, values=rng.integers(-128, 128, (1, 128))),
        Table(dtype=SInt(16), lo=-64, values=np.sort(rng.integers(-1000, 1000, (5, 128)), axis=1)),
        Table(dtype=UInt(4), lo=-64, values=np.sort(rng.integers(0, 16, (1, 128)), axis=1)),
    ):
        unit = Activate(name="a", frame=Frame(1, 128, 5, SInt(7)), activation=activation)
        np.testing.assert_array_equal(native.run(alone(unit), {"a_x0": x}, threads=1)["a_y0"], unit.emulate(x)[0])


def test_wide_sums_and_joins() -> None:
    rng = np.random.default_rng(2)
    scales = rng.integers(-900, 900, 7), rng.integers(-900, 900, 7)
    left, right = Frame(3, 4, 7, SInt(12)), Frame(3, 4, 7, UInt(3))
    units = [
        GlobalSum(name="g", frame=Frame(9, 9, 7, SInt(16)), acc=SInt(24)),
        Join(name="j", left=left, right=right, op="add", acc=SInt(30), left_scale=scales[0], right_scale=scales[1]),
        Join(
            name="k", left=left, right=right, op="mul", acc=SInt(30), left_scale=np.array([1]), right_scale=np.array([1]),
            left_offset=-5, right_offset=3,
        ),
        Vvtu(
            name="v", frame=Frame(2, 2, 9 * 7, SInt(12)), channels=7, weights=rng.integers(-3000, 3000, (14, 9)),
            weight_type=SInt(13), acc=SInt(30), pe=7,
        ),
        Vvtu(
            name="u", frame=Frame(2, 2, 9 * 8, UInt(8)), channels=8, weights=rng.integers(-128, 128, (8, 9)), weight_type=SInt(8),
            acc=SInt(20), pe=2,
        ),
        Pool(name="p", frame=Frame(2, 2, 9 * 6, SInt(16)), channels=6, op="sum", acc=SInt(20), pe=2),
    ]  # fmt: skip
    assert not same(side_by_side(units)).numpy_units


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_share_the_layers_of_one_sample(threads: int) -> None:
    """More threads than samples: large operations are cut by windows, by blocks of channels, by rows and by pixels."""
    rng = np.random.default_rng(1)
    for channels, rows, size in ((32, 96, 40), (1200, 1700, 1)):
        frame = Frame(size + 2, size + 2, channels, UInt(4)) if size > 1 else Frame(1, 1, channels, UInt(4))
        w = rng.integers(-8, 8, (rows, channels * (9 if size > 1 else 1)))
        if size > 1:
            window = Window(name="w", frame=frame, kernel=(3, 3), block=channels)
            unit = Mvtu(
                name="m", frame=window.outputs[0], weights=w, weight_type=SInt(4), acc=SInt(20), taps=9, block=channels
            )
            graph = chain(window, unit)
        else:
            graph = alone(Mvtu(name="m", frame=frame, weights=w, weight_type=SInt(4), acc=SInt(20), block=channels))
        x = {u.name: integers(rng, u.frame.dtype, (1, *u.frame.shape)) for u in graph.inputs}
        right = outputs(graph, x)
        for _ in range(5):
            found = native.run(graph, x, threads=threads)
            assert all(np.array_equal(found[name], values) for name, values in right.items())
    wide = Frame(96, 96, 48, UInt(6))
    one = np.array([3])
    units = [
        Join(name="j", left=wide, right=wide, op="add", acc=UInt(9), left_scale=one, right_scale=one),
        Activate(name="a", frame=wide, activation=Table(dtype=SInt(8), lo=0, values=rng.integers(-128, 128, (1, 64)))),
    ]
    graph = side_by_side(units)
    x = {u.name: integers(rng, u.frame.dtype, (1, *u.frame.shape)) for u in graph.inputs}
    found = native.run(graph, x, threads=threads)
    assert all(np.array_equal(found[name], values) for name, values in outputs(graph, x).items())
    deep = Window(name="w", frame=Frame(66, 66, 64, UInt(4)), kernel=(3, 3), block=64)
    depthwise = Vvtu(
        name="v",
        frame=deep.outputs[0],
        channels=64,
        weights=rng.integers(-8, 8, (64, 9)),
        weight_type=SInt(4),
        acc=SInt(12),
        pe=64,
    )
    pool = Pool(name="p", frame=deep.outputs[0], channels=64, op="max", acc=UInt(4), pe=64)
    for unit in (depthwise, pool):
        graph = chain(deep, unit)
        x = {u.name: integers(rng, u.frame.dtype, (1, *u.frame.shape)) for u in graph.inputs}
        found = native.run(graph, x, threads=threads)
        assert all(np.array_equal(found[name], values) for name, values in outputs(graph, x).items())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.int8, np.int32, np.uint16, np.bool_])
@pytest.mark.parametrize("kind", [BIPOLAR, UInt(1), SInt(4), UInt(8), SInt(8), SInt(12), UInt(20)], ids=str)
def test_integers_of_every_dtype_and_layout_are_encoded(kind: IntType, dtype: type[np.generic]) -> None:
    rng = np.random.default_rng(6)
    code, library = native.code_of(kind), load()
    assert code is not None
    held = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    low, high = (
        (0, 1)
        if dtype is np.bool_
        else (kind.lo, kind.hi)
        if held is None
        else (max(kind.lo, held.min), min(kind.hi, held.max))
    )
    values = (
        np.array([1])
        if kind.bipolar and low >= 0
        else np.array([low, high])
        if kind.bipolar
        else np.arange(low, high + 1)
    )
    whole = rng.choice(values, (3, 4, 5, 6)).astype(dtype)
    for x in (whole, whole.transpose(0, 2, 3, 1), whole[::-1, ::2, :, ::-1], np.asfortranarray(whole)):
        codes = np.empty(x.shape, code.dtype)
        assert library.encode(x, code.low, code.high, code.base, code.step, codes)
        np.testing.assert_array_equal(code.decode(codes, np.int64), x.astype(np.int64))
        wrong = x.astype(np.float64)
        for bad in (kind.lo - 1, kind.hi + 1, 0.5, np.nan, np.inf, -np.inf, 0 if kind.bipolar else 1e30):
            wrong[1, 1, 1, 1] = bad
            for real in (np.float32, np.float64):
                assert not library.encode(wrong.astype(real), code.low, code.high, code.base, code.step, codes)
