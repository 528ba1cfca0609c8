"""Every construct that becomes hardware, as C++: folded for a board, side by side in a few designs, equal to the emulator.

Once as plain functions in native integers, counting cycles; once in the widths of synthesis, with every unit in a thread of its own and
FIFOs of the depths allocated: no deadlock, and the same results.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.backends.hls.lint import lint
from flowc.dataflow.allocate import allocate
from flowc.dataflow.emulator import emulate
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import integers
from tests.test_constructs import CASES

GROUPS = 2  # each compiled as one source: layers that are alike share most of their templates
FRAMES = 3  # random ones, between one of all least and one of all greatest values
TARGET = load_target("zcu104")


def hardware(name: str, fps: float) -> Dataflow:
    """A case's design, folded for a frame rate, FIFOs sized."""
    model, options = CASES[name]()
    graph = compile_model(model, input_type=options.get("input_type")).graph
    return allocate(graph, TARGET, clock_mhz=100, fps=fps).graph


def beside(graphs: list[Dataflow]) -> Dataflow:
    """One design that holds several, their units' names numbered."""
    units = [u.with_(name=f"n{i}_{u.name}") for i, g in enumerate(graphs) for u in g.units.values()]
    streams = [replace(s, src=f"n{i}_{s.src}", dst=f"n{i}_{s.dst}") for i, g in enumerate(graphs) for s in g.streams]
    return Dataflow("constructs", units, streams)


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_as_cpp(tmp_path: Path, group: int) -> None:
    rng = np.random.default_rng(group)
    names = [*CASES][group::GROUPS]
    graph = beside([hardware(name, float(rng.choice([2e3, 2e4, 1e5]))) for name in names])
    generate(graph, tmp_path, part=TARGET.part, clock_mhz=100, header="A test")
    assert [str(f) for f in lint(tmp_path)] == []
    frames = {}
    for port in graph.inputs:
        shape, dtype = (1, *port.frame.shape), port.frame.dtype
        least, greatest = np.full(shape, dtype.lo), np.full(shape, dtype.hi)
        frames[port.name] = np.concatenate([least, integers(rng, dtype, (FRAMES, *port.frame.shape)), greatest])
    expected = emulate(graph, frames)
    inputs = [frames[port.name] for port in graph.inputs]

    def check(results: list[np.ndarray]) -> None:
        for port, result in zip(graph.outputs, results, strict=True):
            case = names[int(port.name[1:].split("_")[0])]
            assert np.array_equal(result, expected[port.name]), case

    plain = csim.compile(tmp_path, cycles=True, quick=True)
    check(csim.run(plain, graph, inputs))
    counts = csim.count_cycles(plain, graph, inputs)
    assert counts == {unit.name: (FRAMES + 2) * unit.cycles for unit in graph}
    check(csim.run(csim.compile(tmp_path, threads=True, exact=True, quick=True), graph, inputs))
