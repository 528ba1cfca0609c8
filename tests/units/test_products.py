"""MVTU and VVTU behind padding and sliding window, against onnxruntime's Conv and MatMul."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, Mvtu, Pad, Requant, Thresholds, Vvtu, Window, divisors
from flowc.units.sound import sign_faults
from tests.units.operators import Array, nchw, nhwc, run_op


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    """Kernel, stride, dilation, padding and a frame that the kernel fits in."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    pads = draw(st.tuples(*[st.integers(0, 2)] * 4))
    least = [(k - 1) * d + 1 - a - b for k, d, a, b in zip(kernel, dilation, pads[:2], pads[2:], strict=True)]
    size = tuple(max(1, n) + draw(st.integers(0, 4)) for n in least)
    return {
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "pads": pads,
        "size": size,
        "seed": draw(st.integers(0, 999)),
    }


def windows(g: dict[str, Any], channels: int, dtype: IntType, block: int, fill: int, x: Array) -> tuple[Window, Array]:
    """Padding and window units, emulated on x (N, H, W, C)."""
    top, left, bottom, right = g["pads"]
    frame = Frame(*g["size"], channels, dtype)
    out = Frame(frame.h + top + bottom, frame.w + left + right, channels, dtype)
    padding = Pad(name="p", frame=frame, out=out, top=top, left=left, bottom=bottom, right=right, value=fill)
    unit = Window(name="w", frame=out, kernel=g["kernel"], stride=g["stride"], dilation=g["dilation"], block=block)
    (padded,) = padding.emulate(x)
    assert padded.shape[1:] == out.shape
    (seen,) = unit.emulate(padded)
    assert seen.shape[1:] == unit.outputs[0].shape
    return unit, seen


def convolution(g: dict[str, Any], x: Array, kernel: Array, groups: int, fill: int) -> Array:
    """By onnxruntime: padded with ``fill`` first; (N, H, W, outputs)."""
    top, left, bottom, right = g["pads"]
    padded = np.pad(nchw(x), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    attributes = {"strides": g["stride"], "dilations": g["dilation"], "group": groups}
    return nhwc(run_op("Conv", padded, constants=(kernel.astype(np.float32),), **attributes))


@settings(max_examples=60, deadline=None)
@given(geometries(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9), st.integers(-2, 2))
def test_convolutions(g: dict[str, Any], groups: int, per_group: int, outputs: int, pick: int, fill: int) -> None:
    """Grouped and dense, every block order of the stream."""
    rng = np.random.default_rng(g["seed"])
    channels, dtype = groups * per_group, SInt(5)
    x = rng.integers(dtype.lo, dtype.hi + 1, (2, *g["size"], channels))
    kernel = rng.integers(-7, 8, (groups * outputs, per_group, *g["kernel"]))
    block = divisors(per_group)[pick % len(divisors(per_group))]
    unit, seen = windows(g, channels, dtype, block, fill, x)
    taps = g["kernel"][0] * g["kernel"][1]
    matrix = (
        kernel.reshape(groups * outputs, per_group, taps).transpose(0, 2, 1).reshape(groups * outputs, taps * per_group)
    )
    mvtu = Mvtu(
        name="m",
        frame=unit.outputs[0],
        weights=matrix,
        weight_type=SInt(4),
        acc=SInt(20),
        groups=groups,
        taps=taps,
        block=block,
    )
    (found,) = mvtu.emulate(seen)
    assert found.shape[1:] == mvtu.outputs[0].shape
    np.testing.assert_array_equal(found, convolution(g, x, kernel, groups, fill))
    assert mvtu.macs * 2 == np.prod(found.shape) * taps * per_group


@settings(max_examples=50, deadline=None)
@given(geometries(), st.integers(1, 6), st.integers(1, 3), st.integers(0, 9), st.integers(-2, 2))
def test_depthwise_convolutions(g: dict[str, Any], channels: int, multiplier: int, pick: int, fill: int) -> None:
    rng = np.random.default_rng(g["seed"])
    dtype = SInt(5)
    x = rng.integers(dtype.lo, dtype.hi + 1, (2, *g["size"], channels))
    kernel = rng.integers(-7, 8, (channels * multiplier, 1, *g["kernel"]))
    pe = divisors(channels)[pick % len(divisors(channels))]
    unit, seen = windows(g, channels, dtype, pe, fill, x)
    weights = kernel.reshape(channels * multiplier, -1)
    vvtu = Vvtu(
        name="v", frame=unit.outputs[0], channels=channels, weights=weights, weight_type=SInt(4), acc=SInt(20), pe=pe
    )
    (found,) = vvtu.emulate(seen)
    assert found.shape[1:] == vvtu.outputs[0].shape
    np.testing.assert_array_equal(found, convolution(g, x, kernel, channels, fill))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 6), st.integers(0, 999))
def test_linear_layers(pixels: int, inputs: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 16, (3, 1, pixels, inputs))
    weights = rng.choice([-1, 1], (outputs, inputs))
    mvtu = Mvtu(
        name="m",
        frame=Frame(1, pixels, inputs, UInt(4)),
        weights=weights,
        weight_type=BIPOLAR,
        acc=SInt(12),
        block=inputs,
    )
    wanted = run_op("MatMul", x.astype(np.float32), constants=(weights.T.astype(np.float32),))
    np.testing.assert_array_equal(mvtu.emulate(x)[0], wanted)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.float32, np.float64])
def test_any_dtype_of_the_input(dtype: Any) -> None:
    """Narrow integers must not overflow in the sums."""
    x = np.full((1, 1, 1, 300), 100).astype(dtype)
    mvtu = Mvtu(
        name="m",
        frame=Frame(1, 1, 300, SInt(8)),
        weights=np.full((2, 300), 120),
        weight_type=SInt(8),
        acc=SInt(24),
        block=300,
    )
    assert mvtu.emulate(x)[0].tolist() == [[[[3_600_000] * 2]]]
    vvtu = Vvtu(
        name="v",
        frame=Frame(1, 1, 300, SInt(8)),
        channels=1,
        weights=np.full((1, 300), 120),
        weight_type=SInt(8),
        acc=SInt(24),
    )
    assert vvtu.emulate(x)[0].tolist() == [[[[3_600_000]]]]


def test_accumulators_beyond_24_bits_are_exact() -> None:
    """Where float32 would round, the sums are made in float64."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 65536, (4, 1, 1, 50))
    weights = rng.integers(-32768, 32768, (5, 50))
    mvtu = Mvtu(
        name="m", frame=Frame(1, 1, 50, UInt(16)), weights=weights, weight_type=SInt(16), acc=SInt(40), block=50
    )
    np.testing.assert_array_equal(mvtu.emulate(x)[0][:, 0, 0], x[:, 0, 0] @ weights.T)
    vvtu = Vvtu(
        name="v", frame=Frame(1, 1, 50, UInt(16)), channels=1, weights=weights[:1], weight_type=SInt(16), acc=SInt(40)
    )
    np.testing.assert_array_equal(vvtu.emulate(x)[0][:, 0, 0], x[:, 0, 0] @ weights[:1].T)


@pytest.mark.parametrize("kind", ["mvtu", "vvtu"])
def test_activation_behind_the_product(kind: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (5, 1, 2, 6))
    values = np.sort(rng.integers(-20, 20, (6, 3)), axis=1)
    activation = Thresholds(dtype=UInt(2), values=values, base=np.zeros(6, np.int64), step=np.ones((1, 1), np.int64))
    frame = Frame(1, 2, 6, UInt(2))
    unit: Mvtu | Vvtu
    if kind == "mvtu":
        weights = rng.integers(-4, 4, (6, 6))
        unit = Mvtu(
            name="m", frame=frame, weights=weights, weight_type=SInt(3), acc=SInt(8), block=6, activation=activation
        )
        acc = x @ weights.T
    else:
        weights = rng.integers(-4, 4, (6, 1))
        unit = Vvtu(
            name="v", frame=frame, channels=6, weights=weights, weight_type=SInt(3), acc=SInt(8), activation=activation
        )
        acc = x * weights[:, 0]
    wanted = (acc[..., None] >= values).sum(axis=-1)
    np.testing.assert_array_equal(unit.emulate(x)[0], wanted)
    assert unit.outputs[0].dtype == UInt(2)
    np.testing.assert_array_equal(unit.accumulate(x), acc)


def test_folding_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-8, 8, (2, 5, 5, 4))
    kernel = rng.integers(-7, 8, (6, 4, 3, 3))
    matrix = kernel.reshape(6, 4, 9).transpose(0, 2, 1).reshape(6, 36)
    g = {"kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1), "pads": (0, 0, 0, 0), "size": (5, 5)}
    results = []
    for block in (4, 2, 1):
        unit, seen = windows(g, 4, SInt(4), block, 0, x)
        requant = Requant(dtype=SInt(4), mult=np.array([3]), add=np.array([7]), shift=5, lo=-8, hi=7)
        mvtu = Mvtu(
            name="m",
            frame=unit.outputs[0],
            weights=matrix,
            weight_type=SInt(4),
            acc=SInt(16),
            taps=9,
            block=block,
            activation=requant,
        )
        results.append(mvtu.with_(pe=3, simd=2).emulate(seen)[0])
        results.append(mvtu.emulate(seen)[0])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_signs_are_one_per_row() -> None:
    assert sign_faults(None, 3) == []
    assert sign_faults(np.array([1, -1, 1]), 3) == []
    assert "shape" in sign_faults(np.array([1, -1]), 3)[0]
    assert "beyond" in sign_faults(np.array([1, 0, 1]), 3)[0]
