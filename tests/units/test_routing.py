"""Units that only move elements, against onnxruntime's operators or their definition element by element."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import SInt, UInt
from flowc.units import (
    Concat,
    Fork,
    Frame,
    InputPort,
    OutputPort,
    Pad,
    Permute,
    PixelPad,
    Split,
    Upsample,
    WidthConverter,
)
from tests.units.operators import Array, nchw, nhwc, run_op

sizes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))


def frames(size: tuple[int, int, int], seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-8, 8, (2, *size))


@settings(max_examples=40, deadline=None)
@given(sizes, st.tuples(*[st.integers(0, 3)] * 4), st.integers(-9, 9))
def test_pad(size: tuple[int, int, int], amounts: tuple[int, int, int, int], value: int) -> None:
    top, left, bottom, right = amounts
    x, h, w, c = frames(size), *size
    out = Frame(h + top + bottom, w + left + right, c, SInt(5))
    unit = Pad(
        name="p", frame=Frame(*size, SInt(4)), out=out, top=top, left=left, bottom=bottom, right=right, value=value
    )
    pads = np.array([0, 0, top, left, 0, 0, bottom, right])
    wanted = run_op("Pad", nchw(x), constants=(pads, np.float32(value)), mode="constant")
    np.testing.assert_array_equal(unit.emulate(x)[0], nhwc(wanted))


@settings(max_examples=40, deadline=None)
@given(sizes, st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(-9, 9))
def test_pixel_pad_makes_a_transposed_convolution(
    size: tuple[int, int, int], strides: tuple[int, int], value: int
) -> None:
    """Inserted zeros and a 1 x 1 kernel of one: what onnxruntime's ConvTranspose with that stride gives (padding comes apart)."""
    x, c = frames(size), size[2]
    out = Frame((size[0] - 1) * strides[0] + 1, (size[1] - 1) * strides[1] + 1, c, SInt(5))
    unit = PixelPad(name="p", frame=Frame(*size, SInt(4)), out=out, stride_h=strides[0], stride_w=strides[1])
    eye = np.eye(c, dtype=np.float32).reshape(c, c, 1, 1)
    np.testing.assert_array_equal(
        unit.emulate(x)[0], nhwc(run_op("ConvTranspose", nchw(x), constants=(eye,), strides=strides))
    )
    (filled,) = unit.with_(value=value).emulate(x)
    between = np.ones(out.shape[:2], bool)
    between[:: strides[0], :: strides[1]] = False
    assert (filled[:, between] == value).all()


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(1, 3), st.integers(1, 3))
def test_upsample(size: tuple[int, int, int], vertical: int, horizontal: int) -> None:
    x = frames(size)
    unit = Upsample(name="u", frame=Frame(*size, SInt(4)), factor_h=vertical, factor_w=horizontal)
    scales = np.array([1, 1, vertical, horizontal], np.float32)
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    wanted = run_op("Resize", nchw(x), constants=(None, scales), **modes)
    np.testing.assert_array_equal(unit.emulate(x)[0], nhwc(wanted))
    assert unit.outputs[0].shape == unit.emulate(x)[0].shape[1:]


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.integers(1, 5), st.integers(0, 9), st.integers(0, 999))
def test_permute(pixels: tuple[int, int], channels: int, pick: int, seed: int) -> None:
    """Within chunks of the frame, every chunk alike: out[i] = in[order[i]]."""
    rng = np.random.default_rng(seed)
    x = frames((*pixels, channels), seed)
    total = pixels[0] * pixels[1] * channels
    chunks = [n for n in range(1, total + 1) if total % n == 0]
    order = rng.permutation(chunks[pick % len(chunks)])
    out = Frame(1, 1, total, SInt(4))
    unit = Permute(name="p", frame=Frame(*pixels, channels, SInt(4)), out=out, order=order)
    flat = x.reshape(2, -1)
    wanted = np.empty_like(flat)
    for i in range(total):
        wanted[:, i] = flat[:, i // len(order) * len(order) + order[i % len(order)]]
    np.testing.assert_array_equal(unit.emulate(x)[0].reshape(2, -1), wanted)
    assert unit.emulate(x)[0].shape == (2, 1, 1, total)


def test_permute_as_a_transposition() -> None:
    x = frames((3, 4, 2))
    order = np.arange(24).reshape(3, 4, 2).transpose(1, 0, 2).reshape(-1)
    unit = Permute(name="p", frame=Frame(3, 4, 2, SInt(4)), out=Frame(4, 3, 2, SInt(4)), order=order)
    np.testing.assert_array_equal(unit.emulate(x)[0], nhwc(run_op("Transpose", nchw(x), perm=[0, 1, 3, 2])))


def test_concat_and_split_undo_each_other() -> None:
    parts = [frames((3, 2, c), c) for c in (1, 4, 2)]
    inputs = tuple(Frame(3, 2, c, SInt(4)) for c in (1, 4, 2))
    join = Concat(name="c", frames=inputs, out=Frame(3, 2, 7, SInt(4)))
    (whole,) = join.emulate(*parts)
    np.testing.assert_array_equal(whole, nhwc(run_op("Concat", *map(nchw, parts), axis=1)))
    split = Split(name="s", frame=Frame(3, 2, 7, SInt(4)), starts=(0, 1, 5), sizes=(1, 4, 2))
    for found, part in zip(split.emulate(whole), parts, strict=True):
        np.testing.assert_array_equal(found, part)
    some = Split(name="s", frame=Frame(3, 2, 7, SInt(4)), starts=(2,), sizes=(3,))
    np.testing.assert_array_equal(some.emulate(whole)[0], whole[..., 2:5])
    assert [f.c for f in split.outputs] == [1, 4, 2]


def test_copies_and_ports_pass_on_what_they_get() -> None:
    x, frame = frames((2, 3, 4)), Frame(2, 3, 4, UInt(4))
    units = [
        Fork(name="f", frame=frame, ways=3),
        WidthConverter(name="w", frame=frame, wide_in=4, wide_out=2),
        InputPort(name="i", tensor="t", tensor_shape=(1, 4, 2, 3), frame=frame),
        OutputPort(name="o", tensor="t", tensor_shape=(1, 4, 2, 3), frame=frame),
    ]
    for unit in units:
        results = unit.emulate(x)
        assert len(results) == len(unit.outputs)
        for result in results:
            np.testing.assert_array_equal(result, x)
