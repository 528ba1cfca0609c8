"""What units cost by the model, beside what yosys made of them when the benchmark's record was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import benchmarks
from benchmarks.synthesis import GROUPS

RECORD = Path(benchmarks.__file__).parent / "records" / "synthesis.json"
CHEAPEST, DEAREST = 0.9, 1.15


def record(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))[part]
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_no_unit_is_a_tenth_too_cheap_nor_a_sixth_too_dear(group: str) -> None:
    """Look-up tables and flip-flops, of the model as it is now."""
    measured = record("units")[group]
    made = {unit.name: unit.with_(structure="pipeline").resources.as_dict() for unit in GROUPS[group]()}
    assert made.keys() == measured.keys()
    for name, model in made.items():
        for key in ("lut", "ff"):
            assert CHEAPEST <= (model[key] or 0) / measured[name][key][0] <= DEAREST, (name, key)
        assert model["dsp"] == measured[name]["dsp"][0], name
        # Yosys may lay words of deep memories side by side, in fewer blocks.
        assert (model["bram18"] or 0) >= measured[name]["bram18"][0], name
        if group == "thresholds":
            assert model["bram18"] == measured[name]["bram18"][0], name


@pytest.mark.parametrize("network", record("networks"))
def test_networks_are_within_a_tenth(network: str) -> None:
    """Look-up tables and flip-flops of all their units and FIFOs, as they were modelled when they were measured; matrix units and windows as above."""
    found = record("networks")[network]
    whole = found["kinds"]["all"]
    single = {name: unit for name, unit in found["units"].items() if found["of"][name] in ("mvtu", "vvtu", "window")}
    assert single
    for key in ("lut", "ff"):
        assert 0.9 <= whole[key][1] / whole[key][0] <= 1.1, key
        for name, unit in single.items():
            assert CHEAPEST <= unit[key][1] / unit[key][0] <= DEAREST, (name, key)
