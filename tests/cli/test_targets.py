"""``flowc targets``."""

from __future__ import annotations

from tests.cli.helpers import Run


def test_targets(run: Run) -> None:
    listed = run("targets")
    assert listed.code == 0
    assert "xczu3eg-sbva484-1-e" in listed.out
    found = {target["name"]: target for target in run("targets", "--json").document}
    assert found["ultra96"]["lut"] == 70560
    assert found["ultra96"]["power_w"] is None
