"""Several products in one DSP slice, and chains of slices: every sum at the ends of its operands' ranges, in the widths of synthesis."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.dataflow.allocate.check import faults
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, Mvtu
from flowc.units.cost import products
from flowc.units.packing import Packing, packing
from tests.backends.hls.random_units import accumulator, emulate, integers, side_by_side

WEIGHTS = [SInt(2), SInt(4), SInt(8), UInt(3), BIPOLAR]
INPUTS = [UInt(2), UInt(4), UInt(8), SInt(3), SInt(8), BIPOLAR]
PAIRS = [(w, a) for w, a in product(WEIGHTS, INPUTS) if not (w.bipolar and a.bipolar)]


def unit(name: str, w: IntType, a: IntType, pe: int, simd: int, port: int) -> Mvtu:
    """Rows of all least, all greatest, and random weights."""
    weights = integers(np.random.default_rng(0), w, (2 * pe, 12))
    weights[0], weights[1], weights[-1] = w.lo, w.hi, w.lo
    return Mvtu(
        name=name, frame=Frame(1, 2, 12, a), weights=weights, weight_type=w, acc=accumulator(weights, a), block=12, pe=pe, simd=simd,
        multiplier="packed", dsp_port=port,
    )  # fmt: skip


def test_packed_products_are_exact(tmp_path: Path) -> None:
    assert all(packing(w, a, 2, 25) for w, a in PAIRS)
    chosen = PAIRS[::5]
    units = [
        unit(f"m{i}", w, a, (2, 3, 4, 7)[i % 4], (1, 6, 12)[i % 3], (25, 27)[i % 2]) for i, (w, a) in enumerate(chosen)
    ]
    graph = side_by_side(units)
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
    for (w, a), result, right in zip(chosen, results, expected, strict=True):
        np.testing.assert_array_equal(result, right, err_msg=f"{w} x {a}")


def chained(how: Packing, w: IntType, a: IntType, port: int, rng: np.random.Generator, samples: int) -> None:
    """What a chain of slices computes, in Python's integers, against the sums of products; the operands fit their ports."""
    offset, scale = (1, 2) if w.bipolar else (1 << (w.bits - 1) if w.signed else 0, 1)
    ends = np.array([[w.lo] * how.rows, [w.hi] * how.rows])
    for k in range(samples):
        weights = integers(rng, w, (how.chain, how.rows), extreme=k % 2 == 0)
        x = integers(rng, a, (how.chain,), extreme=k % 3 == 0)
        if k < 4:
            weights[:], x[:] = ends[k % 2], (a.lo, a.hi)[k // 2]
        codes = [[(int(v) + offset) // scale for v in row] for row in weights]
        wide = [sum(c << (how.field * r) for r, c in enumerate(row)) for row in codes]
        assert all(0 <= v < 1 << (port - 1) for v in wide)
        total = sum(v * int(u) for v, u in zip(wide, x, strict=True))
        assert -(1 << 47) <= total < 1 << 47
        for r in range(how.rows):
            field = (total >> (how.field * r)) % (1 << how.field)
            if a.lo < 0:
                field -= (field >> (how.field - 1)) << how.field
                field += total >> (how.field * r - 1) & 1 if r else 0
            got = scale * field - offset * int(x.sum())
            assert got == int((weights[:, r] * x).sum()), (w, a, how, r)


@pytest.mark.parametrize("port", [25, 27])
def test_chains_stay_in_their_fields(port: int) -> None:
    rng = np.random.default_rng(2)
    for w, a in PAIRS:
        for lanes in (2, 3, 8):
            how = packing(w, a, lanes, port)
            assert how is not None
            chained(how, w, a, port, rng, 24)


def test_a_chain_longer_by_one_overflows() -> None:
    """The bounds are tight: one product more, and a field runs over."""
    how = packing(UInt(4), UInt(4), 3, 27)
    assert how is not None
    longer = Packing(how.rows, how.field, how.chain + 1)
    with pytest.raises(AssertionError):
        chained(longer, UInt(4), UInt(4), 27, np.random.default_rng(0), 8)


@pytest.mark.parametrize(
    ("w", "a", "port", "expected"),
    [
        (SInt(4), UInt(4), 27, Packing(3, 11, 9)),
        (SInt(4), UInt(4), 25, Packing(3, 10, 4)),
        (SInt(8), UInt(8), 27, Packing(2, 18, 4)),
        (SInt(8), UInt(8), 25, Packing(2, 16, 1)),
        (SInt(8), SInt(8), 25, Packing(2, 16, 1)),
        (SInt(2), UInt(2), 27, Packing(5, 6, 7)),
        (SInt(8), SInt(9), 25, None),
        (SInt(2), UInt(18), 27, None),  # 19 bits with its sign
        (BIPOLAR, BIPOLAR, 27, None),
    ],
)
def test_what_fits_a_slice(w: IntType, a: IntType, port: int, expected: Packing | None) -> None:
    most = 60 if expected is None else expected.rows
    assert packing(w, a, most, port) == expected
    graph = side_by_side([unit("m", w, a, 2, 1, port)])
    assert bool(faults(graph)) == (expected is None)


def test_packing_saves_slices_and_adders() -> None:
    w, a, acc = SInt(4), UInt(4), SInt(20)
    how = packing(w, a, 16, 27)
    assert how is not None
    single = products(w, a, acc, "dsp", 16, 36, 9)
    packed = products(w, a, acc, "dsp", 16, 36, 9, how)
    assert (single.dsp, packed.dsp) == (16 * 36, -(-16 // how.rows) * 36)
    assert (packed.lut or 0) < (single.lut or 0) / 2
