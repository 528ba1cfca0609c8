"""Two products in one DSP slice: every pair of types that fits, in the widths of synthesis, at the ends of their ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.dataflow.allocate.check import faults
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, Mvtu
from flowc.units.cost import packs, products
from tests.backends.hls.random_units import accumulator, emulate, integers, side_by_side

WEIGHTS = [SInt(4), SInt(8), UInt(3)]
INPUTS = [UInt(2), UInt(8), SInt(3), SInt(8)]


def unit(name: str, w: IntType, a: IntType, pe: int, simd: int) -> Mvtu:
    """Rows of all least, all greatest, and random weights."""
    weights = integers(np.random.default_rng(0), w, (2 * pe, 6))
    weights[0], weights[1], weights[-1] = w.lo, w.hi, w.lo
    return Mvtu(
        name=name, frame=Frame(1, 2, 6, a), weights=weights, weight_type=w, acc=accumulator(weights, a), block=6, pe=pe, simd=simd,
        multiplier="packed",
    )  # fmt: skip


def test_packed_products_are_exact(tmp_path: Path) -> None:
    pairs = [(w, a) for w in WEIGHTS for a in INPUTS]
    assert all(packs(w, a) for w, a in pairs)
    graph = side_by_side([unit(f"m{i}", w, a, (2, 3, 4)[i % 3], (1, 3)[i % 2]) for i, (w, a) in enumerate(pairs)])
    generate(graph, tmp_path, part="xczu3eg-sbva484-1-e", clock_mhz=200, header="A test")
    rng = np.random.default_rng(1)
    frames = [
        np.concatenate([
            integers(rng, port.frame.dtype, (3, *port.frame.shape)),
            integers(rng, port.frame.dtype, (2, *port.frame.shape), extreme=True),
        ])
        for port in graph.inputs
    ]  # fmt: skip
    expected = emulate(graph, frames)
    results = csim.run(csim.compile(tmp_path, exact=True), graph, frames)
    for (w, a), result, right in zip(pairs, results, expected, strict=True):
        np.testing.assert_array_equal(result, right, err_msg=f"{w} x {a}")


@pytest.mark.parametrize(
    ("w", "a", "expected"),
    [
        (SInt(8), UInt(8), True),
        (SInt(8), SInt(9), False),  # 8 + 9 + 8 + 1 bits are 26
        (UInt(8), UInt(8), False),  # a product has 17 bits with its sign
        (SInt(4), SInt(16), True),
        (SInt(2), UInt(18), False),  # 19 bits with its sign
        (BIPOLAR, UInt(8), False),
        (SInt(1), UInt(8), False),
    ],
)
def test_what_fits_a_slice(w: IntType, a: IntType, expected: bool) -> None:
    assert packs(w, a) == expected
    graph = side_by_side([unit("m", w, a, 2, 1)])
    assert bool(faults(graph)) != expected


def test_packing_halves_the_slices() -> None:
    arguments = (SInt(8), UInt(8), SInt(24))
    for lanes in (2, 5, 16):
        single = products(*arguments, "dsp", lanes, 4, 9)
        packed = products(*arguments, "packed", lanes, 4, 9)
        assert (single.dsp, packed.dsp) == (lanes * 4, -(-lanes // 2) * 4)
        assert (packed.lut or 0) > (single.lut or 0)
