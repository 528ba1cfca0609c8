"""Whole designs that take several pixels of a row per cycle, as C++: equal to the emulator, in the cycles of the model, lint-clean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.backends.hls.lint import lint
from flowc.backends.hls.split import Bundle, split_large
from flowc.dataflow.allocate import allocate
from flowc.dataflow.emulator import emulate
from flowc.model.dtypes import SInt, UInt
from flowc.units import Fork, Frame, Mvtu, Requant, Table, Thresholds
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import emulate as unit_by_unit
from tests.backends.hls.random_units import integers, side_by_side
from tests.dataflow.allocate.test_pixels import BOARD, everything, several

FRAMES = 3


def inputs_of(graph: Dataflow, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [integers(rng, port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs]


@pytest.mark.slow
def test_a_whole_network(tmp_path: Path) -> None:
    graph = allocate(everything(), BOARD, clock_mhz=200, fps=2.5e6).graph
    assert set(several(graph).values()) == {2, 4, 8}
    generate(graph, tmp_path, part=BOARD.part, clock_mhz=200, header="A test")
    assert [str(f) for f in lint(tmp_path)] == []
    inputs = inputs_of(graph, 0)
    (expected,) = emulate(graph, {graph.inputs[0].name: inputs[0]}).values()
    binary = csim.compile(tmp_path, cycles=True)
    (found,) = csim.run(binary, graph, inputs)
    np.testing.assert_array_equal(found, expected)
    assert csim.count_cycles(binary, graph, inputs) == {u.name: FRAMES * u.cycles for u in graph}


def wide_unit(seed: int, pixels: int) -> Mvtu:
    """3,456 products per cycle and more: several loops, and an activation with parameters of each channel's own."""
    rng = np.random.default_rng(seed)
    mh, mw, dtype, weight_type, acc = 32, 54, UInt(2), SInt(2), SInt(10)
    activation = (
        Thresholds(
            dtype=UInt(2), values=np.sort(rng.integers(-50, 50, (mh, 3)), axis=1), base=np.zeros(mh, np.int64),
            step=np.ones((1, 1), np.int64),
        ),
        Table(dtype=SInt(3), lo=acc.lo, values=rng.integers(-4, 4, (mh, acc.hi - acc.lo + 1))),
        Requant(dtype=UInt(4), mult=rng.integers(-9, 9, mh), add=rng.integers(-9, 9, mh), shift=5, lo=0, hi=15),
    )[seed % 3]  # fmt: skip
    return Mvtu(
        name="wide", frame=Frame(2, 2 * pixels, mw, dtype), weights=integers(rng, weight_type, (mh, mw)), weight_type=weight_type,
        acc=acc, activation=activation, block=mw, pe=mh, simd=mw, pixels=pixels,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_too_large_for_one_loop_computes_the_same_in_parts(seed: int) -> None:
    graph = side_by_side([wide_unit(seed, 2)])
    parts = split_large(graph)
    assert sum(isinstance(u, Mvtu) for u in parts) == 2
    (bundle,) = [u for u in parts if isinstance(u, Bundle)]
    (fork,) = [u for u in parts if isinstance(u, Fork)]
    assert (bundle.pixels, bundle.out_widths, fork.out_widths, fork.faults()) == (2, (64,), (108, 108), [])
    inputs = inputs_of(graph, seed)
    for one, other in zip(unit_by_unit(graph, inputs), unit_by_unit(parts, inputs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_parts_are_put_together_pixel_by_pixel(tmp_path: Path) -> None:
    graph = side_by_side([wide_unit(0, 2)])
    generate(graph, tmp_path, part=BOARD.part, clock_mhz=200, header="A test")
    assert [str(f) for f in lint(tmp_path)] == []
    inputs = inputs_of(graph, 1)
    np.testing.assert_array_equal(csim.run(csim.compile(tmp_path), graph, inputs)[0], unit_by_unit(graph, inputs)[0])
