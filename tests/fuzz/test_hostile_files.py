"""Damaged models and designs: flowc's own words, or the right result, within 20 s and 2 GB (`python -m benchmarks.attacks` runs more)."""

from __future__ import annotations

import pytest

from tests.fuzz.hostile import KINDS
from tests.fuzz.worker import Watched

CASES = {"bytes": 90, "model": 120, "design": 90}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_or_harmless(kind: str) -> None:
    with Watched() as process:
        outcomes = [process.run(kind, seed) for seed in range(CASES[kind])]
    failed = [f"{kind} {seed}: {found['reason']}" for seed, found in enumerate(outcomes) if found["status"] == "failed"]
    assert not failed, "\n".join(failed)
    statuses = {found["status"] for found in outcomes}
    assert "refused" in statuses
    if kind != "bytes":
        assert sum(found["compared"] for found in outcomes) > 0


def test_a_case_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.worker.SECONDS", 0.0)
    with Watched() as process:
        assert process.run("bytes", 0)["reason"] == "it does not end"
