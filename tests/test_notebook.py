"""The notebook of the digits network runs from its first cell to its last, without torch, and is stored without results."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat reads notebooks (extra test)")

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
NOTEBOOK = DIGITS / "digits.ipynb"


def test_is_valid_and_holds_no_results() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 8
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_runs_and_shows_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient runs notebooks (extra test)")
    pytest.importorskip("ipykernel", reason="ipykernel runs the cells of notebooks (extra test)")
    folder = tmp_path / "examples" / "digits"
    shutil.copytree(DIGITS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    blocked = tmp_path / "blocked"  # a torch that can't be imported: the notebook is to run where there is none
    blocked.mkdir()
    for name in ("torch", "brevitas"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('the notebook imported {name}')\n")
    monkeypatch.setenv("PYTHONPATH", str(blocked))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder)}}).execute()

    def shown(start: str) -> str:
        (cell,) = (c for c in notebook.cells if c.cell_type == "code" and c.source.startswith(start))
        return "".join(str(o.get("data", o.get("text"))) for o in cell.outputs)

    assert "QuantConv2d" in shown("import ast")
    assert "<svg" in shown("design = flowc.build")
    assert "text/html" in shown("design = flowc.build")
    assert "hardware 99.17%" in shown("import json")
    assert "image/png" in shown("%matplotlib")
    assert "report.html" in shown("chosen")
    assert (tmp_path / "build" / "digits_notebook" / "report.html").exists()
