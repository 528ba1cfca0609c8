"""Every unit's C++ against its emulation, and its loop's trip count against the cycles that the unit states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.backends.hls.lint import lint
from flowc.dataflow.allocate.check import faults
from flowc.model.dtypes import UInt
from flowc.units import Array, Frame, Window
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import MAKERS, PIXEL_MAKERS, emulate, integers, side_by_side

FRAMES = 5
WIDE = ("activate", "join", "mvtu", "pool", "vvtu", "window")
"""The kinds with most of the variety."""


def design(kinds: list[str], seed: int, out: Path, makers: dict[str, Any] = MAKERS) -> tuple[Dataflow, list[Array]]:
    """A generated design with one random unit of each kind, and frames for it: random ones, all least, all greatest."""
    rng = np.random.default_rng(seed)
    graph = side_by_side([makers[kind](rng, f"{kind}_{i}") for i, kind in enumerate(kinds)])
    generate(graph, out, part="xczu3eg-sbva484-1-e", clock_mhz=200, header="A test")
    frames = [
        np.concatenate([
            integers(rng, port.frame.dtype, (FRAMES - 2, *port.frame.shape)),
            integers(rng, port.frame.dtype, (2, *port.frame.shape), extreme=True),
        ])
        for port in graph.inputs
    ]  # fmt: skip
    return graph, frames


def check(graph: Dataflow, results: list[Array], frames: list[Array]) -> None:
    for port, result, expected in zip(graph.outputs, results, emulate(graph, frames), strict=True):
        np.testing.assert_array_equal(result, expected, err_msg=port.name)


def check_counted(kinds: list[str], seed: int, out: Path, makers: dict[str, Any] = MAKERS) -> None:
    graph, frames = design(kinds, seed, out, makers)
    assert faults(graph) == []
    binary = csim.compile(out, cycles=True)
    check(graph, csim.run(binary, graph, frames), frames)
    counts = csim.count_cycles(binary, graph, frames)
    assert counts == {unit.name: FRAMES * unit.cycles for unit in graph}


def test_every_kind_computes_its_function_in_its_cycles(tmp_path: Path) -> None:
    check_counted([*MAKERS], 0, tmp_path)


def test_a_ring_that_fills_its_memory_computes_its_function_in_its_cycles(tmp_path: Path) -> None:
    unit = Window(name="snug", frame=Frame(4, 30, 8, UInt(3)), kernel=(3, 3), block=8, simd=8)
    assert unit.ring is not None
    assert (unit.ring.size, unit.ring.slack) == (64, 1)
    graph = side_by_side([unit])
    generate(graph, tmp_path, part="xczu3eg-sbva484-1-e", clock_mhz=200, header="A test")
    assert [str(f) for f in lint(tmp_path)] == []
    frames = [
        integers(np.random.default_rng(0), port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs
    ]
    binary = csim.compile(tmp_path, cycles=True)
    check(graph, csim.run(binary, graph, frames), frames)
    assert csim.count_cycles(binary, graph, frames) == {unit.name: FRAMES * unit.cycles for unit in graph}


def test_the_widths_of_synthesis_hold_every_value(tmp_path: Path) -> None:
    graph, frames = design([*WIDE, "global_sum", "argmax"], 1, tmp_path)
    check(graph, csim.run(csim.compile(tmp_path, exact=True), graph, frames), frames)


def test_units_that_take_several_pixels_per_cycle(tmp_path: Path) -> None:
    check_counted([*PIXEL_MAKERS, "window", "pad"], 0, tmp_path, PIXEL_MAKERS)


@pytest.mark.slow
def test_units_of_several_pixels_in_the_widths_of_synthesis_and_threads(tmp_path: Path) -> None:
    graph, frames = design([*PIXEL_MAKERS, "window"], 11, tmp_path, PIXEL_MAKERS)
    assert [str(f) for f in lint(tmp_path)] == []
    check(graph, csim.run(csim.compile(tmp_path, exact=True, threads=True), graph, frames), frames)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_units_of_every_kind(tmp_path: Path, seed: int) -> None:
    check_counted([*MAKERS, *WIDE, *WIDE], seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 202))
def test_many_units_in_the_widths_of_synthesis(tmp_path: Path, seed: int) -> None:
    graph, frames = design([*MAKERS, *WIDE], seed, tmp_path)
    check(graph, csim.run(csim.compile(tmp_path, exact=True), graph, frames), frames)


@pytest.mark.slow
def test_every_kind_is_clean_under_the_sanitizers(tmp_path: Path) -> None:
    graph, frames = design([*MAKERS], 300, tmp_path)
    check(graph, csim.run(csim.compile(tmp_path, sanitize=True), graph, frames), frames)


@pytest.mark.slow
def test_every_kind_in_threads_of_their_own(tmp_path: Path) -> None:
    graph, frames = design([*MAKERS], 400, tmp_path)
    check(graph, csim.run(csim.compile(tmp_path, threads=True), graph, frames), frames)
