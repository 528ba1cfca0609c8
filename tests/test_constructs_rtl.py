"""Constructs as SystemVerilog: folded for a board, side by side in one design, simulated by Verilator.

Every stream equal to the emulator, each frame in as many cycles as the model says, no first frame later than modelled and none
earlier than by a tenth (and by the places at the ends of the units, which the model does not count). The suite takes one design
of `CHOSEN`, with every kind of unit; `python -m benchmarks.simulation` takes all constructs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.backends.rtl.beside import random_frames, side_by_side
from tests.backends.rtl.checking import needs_verilator
from tests.test_constructs import CASES

pytestmark = [pytest.mark.slow, needs_verilator]
CHOSEN = (
    "convolution, dilation", "convolution, grouped", "depthwise, multiplier 2", "transposed convolution, stride 2",
    "residual, other scales", "concat, other scales", "split", "gate per channel", "max pool, overlapping and padded",
    "average pool, padded", "global average", "upsample", "silu", "binary, padded with zeros", "reflected border",
)  # fmt: skip
RATES = (2e3, 2e4, 1e5)
TARGET = load_target("zcu104")


def hardware(name: str, fps: float) -> Dataflow:
    """A case's design, folded for a frame rate, FIFOs sized."""
    network, options = CASES[name]()
    graph = compile_model(network, input_type=options.get("input_type")).graph
    return allocate(RtlBackend().prepare(graph), TARGET, clock_mhz=100, fps=fps).graph


def test_as_system_verilog(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graphs = [hardware(name, float(rng.choice(RATES))) for name in CHOSEN]
    found = side_by_side(graphs, [random_frames(graph, rng) for graph in graphs], tmp_path)
    for name, graph, ran in zip(CHOSEN, graphs, found, strict=True):
        assert ran.wrong == (), name
        assert 0.9 * ran.predicted.latency - 2 * len(graph.units) <= ran.latency, name
