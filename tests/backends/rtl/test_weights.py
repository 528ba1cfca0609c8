"""Weights that arrive, streamed or once into UltraRAM, in SystemVerilog: equal to the emulation, and frames without a pause between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.model.dtypes import SInt, UInt
from flowc.units import Frame, Mvtu
from tests.backends.hls.random_units import accumulator, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator

pytestmark = [pytest.mark.slow, needs_verilator]


def test_weights_arrive_and_frames_follow_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    units = []
    for memory in ("stream", "uram"):
        weights = integers(rng, SInt(4), (6, 12))
        units.append(
            Mvtu(
                name=memory, frame=Frame(1, 4, 12, UInt(4)), weights=weights, weight_type=SInt(4), block=12,
                acc=accumulator(weights, UInt(4)), pe=2, simd=4, memory=memory, multiplier="lut", structure="pipeline",
            )
        )  # fmt: skip
    graph = side_by_side(units)
    generate(graph, tmp_path, header="A test")
    assert lint(tmp_path) == []
    frames = [integers(rng, port.frame.dtype, (6, *port.frame.shape)) for port in graph.inputs]
    binary = simulate.compile(tmp_path, graph, quick=True)
    seen = simulate.run(binary, graph, frames)
    expect_equal(graph, seen, frames)
    assert seen.interval == model(graph, 6).interval == units[0].cycles == units[1].interval
    expect_equal(graph, simulate.run(binary, graph, frames, stalls=30), frames)
