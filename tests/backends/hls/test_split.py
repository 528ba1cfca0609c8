"""Matrix units beyond the cap of one loop are written as several: same results, same cycles, nothing beyond the caps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.backends.hls.split import split_large
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, Mvtu, Thresholds
from flowc.units.cost import MAX_PRODUCTS
from tests.backends.hls.random_units import accumulator, emulate, integers, side_by_side


def unit(name: str, w: IntType, a: IntType, rows: int, pe: int, simd: int, groups: int = 1) -> Mvtu:
    rng = np.random.default_rng(3)
    weights = integers(rng, w, (groups * rows, 2 * simd))
    acc = accumulator(weights, a)
    values = np.sort(rng.integers(acc.lo, acc.hi + 1, (groups * rows, 3)), axis=1)
    activation = Thresholds(
        dtype=UInt(2), values=values, base=np.zeros(groups * rows, np.int64), step=np.ones((1, 1), np.int64)
    )
    return Mvtu(
        name=name, frame=Frame(1, 2, groups * 2 * simd, a), weights=weights, weight_type=w, acc=acc, activation=activation, block=2 * simd,
        pe=pe, simd=simd, groups=groups,
    )  # fmt: skip


UNITS = [
    unit("m0", BIPOLAR, BIPOLAR, 20, 10, 300),
    unit("m1", SInt(3), UInt(2), 9, 9, 252, groups=2),
    unit("m2", SInt(3), UInt(2), 6, 6, 252),  # no part, but rows of 4,536 bits: in slices
]


def test_parts_compute_the_whole() -> None:
    graph = side_by_side(UNITS)
    parts = split_large(graph)
    assert all(u.pe * u.simd <= MAX_PRODUCTS for u in parts if isinstance(u, Mvtu))
    assert sum(isinstance(u, Mvtu) for u in parts) == 2 + 3 + 1
    rng = np.random.default_rng(0)
    for whole in UNITS[:2]:
        x = integers(rng, whole.frame.dtype, (2, *whole.frame.shape))
        shares = [u.emulate(x)[0] for u in parts if isinstance(u, Mvtu) and u.name.startswith(whole.name)]
        np.testing.assert_array_equal(parts[whole.name].emulate(*shares)[0], whole.emulate(x)[0])


@pytest.mark.slow
@pytest.mark.parametrize("threads", [False, True])
def test_split_units_are_written(tmp_path: Path, threads: bool) -> None:
    graph = side_by_side(UNITS)
    generate(graph, tmp_path, part="xczu3eg-sbva484-1-e", clock_mhz=200, header="A test")
    rng = np.random.default_rng(1)
    frames = [integers(rng, port.frame.dtype, (3, *port.frame.shape)) for port in graph.inputs]
    results = csim.run(csim.compile(tmp_path, threads=threads), graph, frames)
    for result, expected in zip(results, emulate(graph, frames), strict=True):
        np.testing.assert_array_equal(result, expected)
