"""Every kind of unit as SystemVerilog in Verilator: every stream equal to the emulation, with and without random stalls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.units import Array
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import MAKERS, PIXEL_MAKERS, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator

pytestmark = needs_verilator
FRAMES = 4
WIDE = ("activate", "join", "mvtu", "pool", "vvtu", "window")
"""The kinds with most of the variety."""


def design(kinds: list[str], seed: int, out: Path, makers: dict[str, Any] = MAKERS) -> tuple[Dataflow, list[Array]]:
    """A design with one random unit of each kind, and frames for it: random ones, all least, all greatest."""
    rng = np.random.default_rng(seed)
    graph = side_by_side([makers[kind](rng, f"{kind}_{i}") for i, kind in enumerate(kinds)])
    generate(graph, out, header="A test")
    frames = [
        np.concatenate([
            integers(rng, port.frame.dtype, (FRAMES - 2, *port.frame.shape)),
            integers(rng, port.frame.dtype, (2, *port.frame.shape), extreme=True),
        ])
        for port in graph.inputs
    ]  # fmt: skip
    return graph, frames


def check(kinds: list[str], seed: int, out: Path, makers: dict[str, Any] = MAKERS) -> None:
    graph, frames = design(kinds, seed, out, makers)
    assert lint(out) == []
    binary = simulate.compile(out, graph, quick=True)
    for stalls in (0, 35):
        expect_equal(graph, simulate.run(binary, graph, frames, stalls=stalls, seed=seed), frames)


@pytest.mark.slow
def test_units_of_every_kind_compute_their_function(tmp_path: Path) -> None:
    check([*MAKERS, *WIDE], 100, tmp_path)


@pytest.mark.slow
def test_units_that_take_several_pixels_per_cycle(tmp_path: Path) -> None:
    check([*PIXEL_MAKERS, "window", "pad", "mvtu"], 0, tmp_path, PIXEL_MAKERS)
