"""The page of a design that yosys really synthesized: what it shows as measured is what was counted."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

import flowc
from flowc.cli import main
from flowc.design.synthesis import synthesize_design
from tests.netbuild import mlp


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed (extra rtl)")
def test_measured_figures_stand_beside_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "out"
    flowc.build(mlp((4, 3), bits=2), "ultra96", fps=1_000_000, backend="rtl", output=folder, verify=False)
    found = synthesize_design(folder, "ecp5")["synthesis"]
    report = json.loads((folder / "report.json").read_text())
    assert report["synthesis"] == found
    units = {unit["name"]: unit for unit in found["units"]}
    assert found["resources"]["lut"] == sum(unit["lut"] for unit in units.values()) > 0

    page = (folder / "report.html").read_text()
    assert found["tool"] in page
    rows = dict(re.findall(r'<tr[^>]*><th scope="row" title="[^"]*">(.*?)</th>(.*?)</tr>', page, re.DOTALL))
    rows = {re.sub("<wbr>", "", name): cells for name, cells in rows.items()}
    for layer in report["layers"]:
        shown = re.findall(r'([\d,]+) <span class="measured">([\d,]+)</span>', rows[layer["name"]])
        figures = [(layer[key], units[layer["name"]][key]) for key in ("lut", "ff", "bram18", "dsp")]
        assert [tuple(int(n.replace(",", "")) for n in pair) for pair in shown] == figures

    before = page
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text() == before
