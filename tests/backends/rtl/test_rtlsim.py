"""``--rtlsim``: what it reports, what it refuses, what it finds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import flowc
from flowc.design import rtlsim
from flowc.errors import MismatchError, UsageError
from tests import netbuild
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
