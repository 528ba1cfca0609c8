"""``--rtlsim``: what it reports, what it refuses, what it finds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import flowc
from flowc.backends.rtl.check import _late, check
from flowc.backends.rtl.simulate import Observed, Passed
from flowc.dataflow.allocate.simulation import Simulation
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.design import rtlsim
from flowc.errors import MismatchError, UsageError
from flowc.units import Array
from flowc.units.graph import Dataflow, Stream
from tests import netbuild
from tests.backends import graphs
from tests.backends.rtl.checking import needs_verilator

FIGURES = {
    "frames", "mismatches", "interval_cycles", "model_interval_cycles", "latency_cycles", "model_latency_cycles",
    "compile_s", "run_s", "fifos",
}  # fmt: skip


@pytest.mark.slow
@needs_verilator
def test_a_build_is_simulated_and_a_fault_found(tmp_path: Path) -> None:
    model = netbuild.mlp()
    design = flowc.build(model, "ultra96", fps=100_000, output=tmp_path / "d", backend="rtl", rtlsim=True, verify=False)
    found = design.report["rtlsim"]
    assert set(found) == FIGURES
    assert found["mismatches"] == 0
    assert found["interval_cycles"] == found["model_interval_cycles"]
    assert 0 < found["latency_cycles"] <= found["model_latency_cycles"]
    assert len(found["fifos"]) == len(design.graph.streams)
    x = next(iter(design.samples(3, 5).values()))
    np.testing.assert_array_equal(design.csim(x), design.run(x))

    file = tmp_path / "d" / "rtl" / "lib" / "flowc_accumulate.sv"
    text, count = re.subn(r"firsts\[LATENCY-1\] \? .signed.BEGIN. : sum", "sum", file.read_text())
    assert count == 1
    file.write_text(text)
    entry, wrong = rtlsim.compare(flowc.load(tmp_path / "d"), tmp_path / "d")
    assert entry["mismatches"] > 0
    assert isinstance(wrong, MismatchError)
    assert "differ from the emulator, first beat" in str(wrong)


@pytest.mark.parametrize("filled", [True, False])
def test_a_pipeline_that_fills_later_than_the_models_gets_more_frames(
    filled: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hardware may begin some frames earlier than the model, and reach the interval later."""
    graph, runs = graphs.mlp(simd=3, pe=2), []
    predicted = model(graph, 12)

    def run(
        _: Path, graph: Dataflow, inputs: list[Array], *, emulated: dict[Stream, Array], stalls: int = 0
    ) -> Observed:
        assert {len(frames) for frames in emulated.values()} == {len(inputs[0])}
        runs.append(len(inputs[0]))
        ends = [end - 20 + (min(i, 3) if filled else i) for i, end in enumerate(predicted.ends[: runs[-1]])]
        passed = {s: Passed(1, 1, 0, 0, 1, 0) for s in graph.streams}
        return Observed({}, ends[-1], {port.name: tuple(ends) for port in graph.outputs}, passed, 0, 0, False)

    monkeypatch.setattr("flowc.backends.rtl.check.simulate.compile", lambda *_: tmp_path)
    monkeypatch.setattr("flowc.backends.rtl.check.simulate.run", run)
    found = check(tmp_path, graph, [np.zeros((2, 1, 1, 12), np.int64)])
    assert sorted(runs) == [2, 2, 12]
    assert found.entry["frames"] == 14
    said = [] if filled else [f"a frame takes {predicted.interval + 1} cycles, the model says {predicted.interval}"]
    assert list(found.wrong) == said


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    model = netbuild.mlp()
    with pytest.raises(UsageError, match="--backend rtl"):
        flowc.build(model, "ultra96", output=tmp_path / "d", rtlsim=True)
    with pytest.raises(UsageError, match="output directory"):
        flowc.build(model, "ultra96", backend="rtl", rtlsim=True)
    assert not (tmp_path / "d").exists()


def test_missing_tools_are_said_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.backends.rtl.tools._candidates", list)
    with pytest.raises(UsageError, match=r"Verilator.*flowc\[rtl\]"):
        flowc.build(netbuild.mlp(), "ultra96", output=tmp_path / "d", backend="rtl", rtlsim=True)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((90, 140, 190), []),
        ((88, 139, 190), ["a frame takes 51 cycles, the model says 50"]),
        ((91, 140, 190), ["the first frame takes 91 cycles, the model says 90"]),
        ((90, 141, 191), ["frame 2 ends after 141 cycles, the model says 140"]),
    ],
)
def test_no_frame_may_come_later_than_in_the_model(ends: tuple[int, ...], said: list[str]) -> None:
    seen = Observed({}, ends[-1], {"y": ends}, {}, 0, 0, False)
    assert _late(seen, Simulation(50, 90, (90, 140, 190), {})) == said
