"""What thresholds cost by the model, beside what yosys made of them when the benchmark's record was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks.synthesis_thresholds import drawn_thresholds, threshold_units
from flowc.units import Unit

RECORD = Path(benchmarks.__file__).parent / "records" / "synthesis.json"


@pytest.mark.parametrize(
    ("group", "units"),
    [("thresholds", list(threshold_units())), ("drawn-thresholds", list(drawn_thresholds()))],
    ids=["fitted", "drawn"],
)
def test_never_a_tenth_too_cheap_nor_a_sixth_too_dear(group: str, units: list[Unit]) -> None:
    measured = json.loads(RECORD.read_text(encoding="utf-8"))["units"][group]
    made = {unit.name: unit.with_(structure="pipeline").resources.as_dict() for unit in units}
    assert made.keys() == measured.keys()
    for name, model in made.items():
        for key in ("lut", "ff"):
            assert 0.9 <= (model[key] or 0) / measured[name][key][0] <= 1.15, (name, key)
        assert (model["bram18"], model["dsp"]) == (measured[name]["bram18"][0], 0), name
