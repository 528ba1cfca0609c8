"""``flowc estimate``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.helpers import Run, tree


def test_estimate_writes_nothing(run: Run, model: Path) -> None:
    report = run("estimate", model, "--target", "kv260", "--fps", "500", "--clock", "150", "--json").document
    assert (report["target"], report["clock_mhz"]) == ("kv260", 150.0)
    assert report["verification"] is None
    assert "frames/s" in run("estimate", model, "--target", "kv260").out
    assert tree(Path()) == []
