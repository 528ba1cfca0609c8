"""What `flowc verify` prints of sums that float32 does not hold as integers: a fault inside of the bound, and one outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import flowc
from flowc.cli import main
from flowc.units import Mvtu
from tests.netbuild import Net

LENGTH = 4608


def test_sums_within_a_bound_are_printed_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One weight is wrong: as long as its input is 1 the sum stays within the bound, at 255 it does not."""
    net = Net([1, LENGTH], seed=2)
    x = net.quant(net.x, 0.0123, bits=8, signed=False)
    built = flowc.build(net.model(net.linear(x, LENGTH, 6, bits=8)), target="u250", verify=False)
    unit = next(u for u in built.graph if isinstance(u, Mvtu))
    weights = unit.weights.copy()
    weights[0, 7] = 127 if weights[0, 7] <= 0 else -127
    graph = built.graph.with_units({unit.name: unit.with_(weights=weights)})
    replace(built, plan=replace(built.plan, graph=graph)).save(tmp_path / "design")
    samples = np.random.default_rng(1).integers(0, 256, (2, LENGTH)).astype(np.float32)
    for level, code in ((1, 0), (255, 4)):
        samples[:, 7] = level
        np.save(tmp_path / "x.npy", samples * np.float32(0.0123))
        assert main(["verify", str(tmp_path / "design"), "--input", str(tmp_path / "x.npy")]) == code
        printed = " ".join("".join(capsys.readouterr()).split())
        assert ("within the bound of float32 sums): 0 mismatches" in printed) == (code == 0), printed
        assert ("mismatch" in printed and "This is a bug in flowc" in printed) == (code == 4), printed
