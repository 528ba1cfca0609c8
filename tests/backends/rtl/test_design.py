"""Whole designs in Verilator: equal to the emulator, and every frame at the cycle that the model of the pipeline says."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import flowc
from flowc.backends.rtl import simulate
from flowc.backends.rtl.backend import RtlBackend
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.dataflow.allocate.fifos import least_depths
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.dataflow.emulator import emulate
from flowc.model.dtypes import UInt
from flowc.units import Array, Fork, Frame, InputPort, Join, OutputPort, Pad, Pool, Window
from flowc.units.graph import Dataflow, Stream
from tests import netbuild
from tests.backends import graphs
from tests.backends.rtl.checking import expect_equal, needs_verilator

pytestmark = needs_verilator
FRAMES = 5


@pytest.fixture(scope="module")
def residual() -> tuple[Dataflow, list[Array]]:
    """A small residual network, folded, and frames for it."""
    design = flowc.build(netbuild.cnn(residual=True), target="ultra96", fps=20_000, backend="rtl", verify=False)
    ports = design.to_ports(design.run_head(design.samples(FRAMES, 1)))
    return design.graph, [ports[u.name].astype(np.int64) for u in design.graph.inputs]


@pytest.fixture(scope="module")
def written(residual: tuple[Dataflow, list[Array]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("rtl")
    generate(residual[0], folder, header="A test")
    return folder


@pytest.fixture(scope="module")
def binary(residual: tuple[Dataflow, list[Array]], written: Path) -> Path:
    return simulate.compile(written, residual[0], quick=True)


def test_lints_clean(written: Path) -> None:
    assert lint(written) == []


@pytest.mark.slow
def test_equal_and_to_the_cycle(residual: tuple[Dataflow, list[Array]], binary: Path) -> None:
    graph, frames = residual
    seen = simulate.run(binary, graph, frames)
    expect_equal(graph, seen, frames)
    expected = emulate(graph, dict(zip((u.name for u in graph.inputs), frames, strict=True)))
    for port, result in seen.frames.items():
        np.testing.assert_array_equal(result, expected[port])
    predicted = model(graph, FRAMES)
    assert seen.interval == predicted.interval == max(u.cycles for u in graph)
    # The places at the ends of units, which the model does not count, let some beats be earlier.
    assert 0.9 * predicted.latency <= seen.ends[0] <= predicted.latency
    for stream, passed in seen.streams.items():
        assert passed.most <= (stream.depth or 2) + (stream.memory in ("bram", "uram")), stream


@pytest.mark.slow
@pytest.mark.parametrize(("stalls", "seed"), [(10, 1), (60, 2)])
def test_equal_under_stalls(residual: tuple[Dataflow, list[Array]], binary: Path, stalls: int, seed: int) -> None:
    graph, frames = residual
    seen = simulate.run(binary, graph, frames, stalls=stalls, seed=seed)
    expect_equal(graph, seen, frames)
    assert seen.ends[-1] > model(graph, FRAMES).ends[-1]


FAULTS = {
    # The accumulator takes what is no product: harmless as long as nothing stalls.
    "ungated": ("lib/flowc_accumulate.sv", r"if \(enable && summed\) sum", "if (enable) sum"),
    # A beat that finds no place is dropped.
    "dropped": ("lib/flowc_emit.sv", r"assign enable = .*;", "assign enable = 1'b1;"),
    # A waiting beat is overwritten.
    "overwritten": ("lib/flowc_emit.sv", r"wire load = .*;", "wire load = 1'b1;"),
    # A FIFO with a place too many forgets its oldest beat.
    "overfull": ("lib/flowc_fifo.sv", r"room <= fetch \|\| count != .*;", "room <= 1'b1;"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str, tmp_path: Path) -> None:
    one = graphs.mlp(simd=3, pe=2)
    graph = one.with_streams({s: replace(s, depth=4, memory="lutram") for s in one.streams})
    generate(graph, tmp_path, header="A test")
    name, sound, broken = FAULTS[fault]
    text, count = re.subn(sound, broken, (tmp_path / name).read_text())
    assert count  # wherever a module has another form of it, too
    (tmp_path / name).write_text(text)
    frames = [np.random.default_rng(0).integers(0, 8, (20, 1, 1, 12))]
    seen = simulate.run(simulate.compile(tmp_path, graph, quick=True), graph, frames, stalls=40)
    with pytest.raises(AssertionError):
        expect_equal(graph, seen, frames)


def shortcut_block() -> tuple[Dataflow, Stream]:
    """A residual block, a window's maximum in place of its convolution, and its shortcut."""
    x, padded, taps = (Frame(h, h, c, UInt(3)) for h, c in ((6, 4), (8, 4), (6, 36)))
    one = np.ones(1, np.int64)
    join = Join(name="join", left=x, right=x, op="add", acc=UInt(4), left_scale=one, right_scale=one, pe=4)
    units = [
        InputPort(name="x", tensor="x", tensor_shape=(4, 6, 6), frame=x, simd=4),
        Fork(name="fork", frame=x, simd=4, ways=2),
        Pad(name="pad", frame=x, out=padded, top=1, left=1, bottom=1, right=1, simd=4),
        Window(name="window", frame=padded, kernel=(3, 3), block=4, simd=4, parallel=True),
        Pool(name="pool", frame=taps, channels=4, op="max", acc=UInt(3), pe=4, parallel=True),
        join,
        OutputPort(name="y", tensor="y", tensor_shape=(4, 6, 6), frame=join.outputs[0], simd=4),
    ]
    shortcut = Stream("fork", "join", 1, 1)
    chain = ["x", "fork", "pad", "window", "pool", "join", "y"]
    streams = [*(Stream(a, b) for a, b in pairwise(chain)), shortcut]
    return RtlBackend().prepare(Dataflow("block", units, streams)), shortcut


@pytest.mark.slow
def test_fewer_places_in_the_shortcut_slow_the_pipeline(tmp_path: Path) -> None:
    """The FIFO that holds the shortcut of a residual block while the window fills is as deep as the rate needs, within two places.

    With one place less the schedule has no such rate any more; the hardware, whose pipelines hold beats while they wait, still
    reaches it with two less, and with three less is slower. It is never slower than the simulated schedule.
    """
    graph, shortcut = shortcut_block()
    depths = least_depths(graph)
    frames = [np.random.default_rng(0).integers(0, 8, (FRAMES, 6, 6, 4))]
    intervals, modelled = [], []
    for less in (0, 2, 3):
        given = {s: n - less if s == shortcut else n for s, n in depths.items()}
        sized = graph.with_streams({s: replace(s, depth=n, memory="lutram") for s, n in given.items()})
        generate(sized, tmp_path / str(less), header="A test")
        seen = simulate.run(simulate.compile(tmp_path / str(less), sized, quick=True), sized, frames)
        expect_equal(sized, seen, frames)
        (full,) = (passed.most for stream, passed in seen.streams.items() if stream.dst_port == 1)
        assert full == given[shortcut] > 3
        intervals.append(seen.interval)
        modelled.append(model(sized, FRAMES).interval)
    full_rate = max(unit.cycles for unit in graph)
    assert intervals[0] == modelled[0] == full_rate < modelled[1]
    assert full_rate <= intervals[1] <= modelled[1]
    assert full_rate < intervals[2] <= modelled[2]
