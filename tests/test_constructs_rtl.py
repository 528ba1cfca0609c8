"""Constructs as SystemVerilog: folded for a board, side by side in one design, simulated by Verilator.

Every stream equal to the emulator, each frame in as many cycles as the model says, no first frame later than modelled and none
earlier than by a tenth (and by the places at the ends of the units, which the model does not count). The suite takes one design
of `CHOSEN`, with every kind of unit; `python -m benchmarks.simulation` takes all constructs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.backend import RtlBackend
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.dataflow.allocate import allocate
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import integers
from tests.backends.rtl.checking import expect_equal, needs_verilator
from tests.test_constructs import CASES

pytestmark = [pytest.mark.slow, needs_verilator]
CHOSEN = (
    "convolution, dilation", "convolution, grouped", "depthwise, multiplier 2", "transposed convolution, stride 2",
    "residual, other scales", "concat, other scales", "split", "gate per channel", "max pool, overlapping and padded",
    "average pool, padded", "global average", "upsample", "silu", "binary, padded with zeros", "reflected border",
)  # fmt: skip
FRAMES = 3  # random ones, between one of all least and one of all greatest values
TARGET = load_target("zcu104")


def hardware(name: str, fps: float) -> Dataflow:
    """A case's design, folded for a frame rate, FIFOs sized."""
    network, options = CASES[name]()
    graph = compile_model(network, input_type=options.get("input_type")).graph
    return allocate(RtlBackend().prepare(graph), TARGET, clock_mhz=100, fps=fps).graph


def beside(graphs: list[Dataflow]) -> Dataflow:
    """One design that holds several, their units' names numbered."""
    units = [u.with_(name=f"n{i}_{u.name}") for i, g in enumerate(graphs) for u in g.units.values()]
    streams = [replace(s, src=f"n{i}_{s.src}", dst=f"n{i}_{s.dst}") for i, g in enumerate(graphs) for s in g.streams]
    return Dataflow("constructs", units, streams)


def side_by_side(names: Sequence[str], folder: Path, seed: int) -> list[tuple[str, Dataflow, int, int]]:
    """Simulates cases in one design, without and with stalls.

    Returns:
        Of every case its name, its design, and the cycles from the last frame but one to the last, and of the first.
    """
    rng = np.random.default_rng(seed)
    graphs = [hardware(name, float(rng.choice([2e3, 2e4, 1e5]))) for name in names]
    graph = beside(graphs)
    generate(graph, folder, header="A test")
    assert lint(folder) == []
    frames = []
    for port in graph.inputs:
        shape, dtype = (1, *port.frame.shape), port.frame.dtype
        least, greatest = np.full(shape, dtype.lo), np.full(shape, dtype.hi)
        frames.append(np.concatenate([least, integers(rng, dtype, (FRAMES, *port.frame.shape)), greatest]))
    binary = simulate.compile(folder, graph, quick=True)
    seen = simulate.run(binary, graph, frames)
    expect_equal(graph, seen, frames)
    expect_equal(graph, simulate.run(binary, graph, frames, stalls=35), frames)
    found = []
    for i, (name, own) in enumerate(zip(names, graphs, strict=True)):
        ends = np.max([ends for port, ends in seen.port_ends.items() if port.startswith(f"n{i}_")], axis=0)
        found.append((name, own, int(ends[-1] - ends[-2]), int(ends[0])))
    return found


def test_as_system_verilog(tmp_path: Path) -> None:
    for name, graph, interval, latency in side_by_side(CHOSEN, tmp_path, 0):
        predicted = model(graph, FRAMES + 2)
        assert interval == predicted.interval, name
        assert 0.9 * predicted.latency - 2 * len(graph.units) <= latency <= predicted.latency, name
