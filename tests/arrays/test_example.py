"""The example prints what its README says, and the committed heat maps are those that it draws."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from flowc.arrays import explore_array

FOLDER = Path(__file__).parents[2] / "examples" / "arrays"


def test_the_readme_is_what_the_example_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(FOLDER / "findings.py"))["main"](tmp_path)
    drawn = sorted(tmp_path.iterdir())
    assert [path.name for path in drawn] == sorted(path.name for path in FOLDER.glob("*.svg"))
    for path in drawn:
        assert path.read_text() == (FOLDER / path.name).read_text(), (
            f"{path.name}: run examples/arrays/findings.py again"
        )
    said = capsys.readouterr().out
    readme = (FOLDER / "README.md").read_text()
    rows = dict(re.findall(r"^\| ([A-Z]\S+) \| (.*) \|$", readme, re.MULTILINE))
    for name, cells in rows.items():
        rs, ws, inputs, outputs, nlr = cells.split(" | ")
        line = f"ws {ws}, os {outputs}, is {inputs}, rs {rs}, nlr {nlr}"
        assert f"  {name.replace('-', '').lower():10} {line}" in said
    assert len(rows) == 3
    assert "3.1% of the products take 97% of the cycles; the array is used 1.7%" in said


def test_the_json_of_the_page_is_what_comes_out() -> None:
    """The example of docs/arrays.md, to the digits that it gives."""
    page = (FOLDER.parents[1] / "docs" / "arrays.md").read_text()
    point = explore_array("resnet50", heights=[128], dataflows=["ws"]).points["resnet50"][0]
    for key in ("cycles", "buffer", "inter_pe", "intra_pe", "dram", "energy"):
        assert f'"{key}": {getattr(point, key)}' in page, f"{key}: {getattr(point, key)}"
    assert f'"utilization": {point.utilization:.2f}' in page
