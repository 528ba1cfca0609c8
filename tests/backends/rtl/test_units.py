"""Every kind of unit as SystemVerilog in Verilator: every stream equal to the emulation, with and without random stalls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.synthesis_units import activate
from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.model.dtypes import SInt, UInt
from flowc.units import Activate, Array, Frame, Requant, Table, Unit, Window
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import MAKERS, PIXEL_MAKERS, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator

pytestmark = needs_verilator
FRAMES = 4
WIDE = ("activate", "join", "mvtu", "pool", "vvtu", "window")
"""The kinds with most of the variety."""


def in_block_ram() -> list[Unit]:
    """Units whose memories are block RAMs: rings, keys of a search, thresholds, tables, how late levels are.

    And a serial window of words that are wide, in a ring of 64.
    """
    rng = np.random.default_rng(1)
    rows = Frame(7, 9, 4, UInt(3))
    window = {"stride": (1, 2), "dilation": (1, 1), "block": 4, "simd": 4, "memory": "bram"}
    table = Table(dtype=SInt(8), lo=-128, values=rng.integers(-128, 128, (16, 256)))
    mult, add, late = rng.integers(-9, 9, 32), rng.integers(-99, 99, 32), rng.integers(0, 5, (32, 255))
    lines = [
        Requant(dtype=UInt(8), mult=mult, add=add, shift=4, lo=0, hi=255, late=late),
        Requant(dtype=UInt(4), mult=mult, add=add, shift=7, lo=3, hi=12, late=late[:1, :9]),
    ]
    return [
        Window(name="block_serial", frame=rows, kernel=(3, 3), **window),
        Window(name="wide_serial", frame=Frame(4, 30, 8, UInt(3)), kernel=(3, 3), block=8, simd=8),
        Window(name="block_parallel", frame=rows, kernel=(3, 2), parallel=True, **window),
        activate("block_search", SInt(14), UInt(6), 32, 1, "search"),
        activate("moved_search", SInt(14), UInt(4), 32, 1, "search").with_(threshold_memory="bram"),
        activate("logic_search", SInt(14), UInt(6), 32, 1, "search").with_(threshold_memory="lutram"),
        activate("block_rows", SInt(12), UInt(4), 512, 1, "compare"),
        Activate(name="block_table", frame=Frame(1, 2, 16, SInt(8)), activation=table, pe=2),
        *(
            Activate(name=f"late_{i}", frame=Frame(2, 2, 32, SInt(10)), activation=line, pe=2)
            for i, line in enumerate(lines)
        ),
    ]


def design(kinds: list[str], seed: int, out: Path, makers: dict[str, Any] = MAKERS) -> tuple[Dataflow, list[Array]]:
    """A design with one random unit of each kind, and frames for it: random ones, all least, all greatest.

    Those of all kinds stand beside units in block RAM. Every other stream has a FIFO there.
    """
    rng = np.random.default_rng(seed)
    units = [makers[kind](rng, f"{kind}_{i}") for i, kind in enumerate(kinds)]
    graph = side_by_side([*units, *(in_block_ram() if makers is MAKERS else [])])
    deep = {s: replace(s, depth=4, memory="bram") for s in list(graph.streams)[::2]}
    graph = graph.with_streams(deep)
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
