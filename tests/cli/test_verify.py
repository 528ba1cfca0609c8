"""``flowc verify``: a design against onnxruntime, and its generated C++."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.helpers import Run, samples


def test_verify(run: Run, design: Path) -> None:
    found = run("verify", design, "--samples", "3", "--seed", "7", "--json")
    assert found.code == 0
    assert found.document["verification"]["samples"] == 3
    assert found.document["verification"]["mismatches"] == 0
    assert found.document["csim"] is None
    np.savez("in.npz", x=samples(2))
    assert "2 samples" in run("verify", design, "--input", "in.npz").out
    assert run("verify", design, "--input", "in.npz", "--samples", "3").code == 2


def test_a_mismatch_is_exit_4(run: Run, design: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(design, broken)
    with np.load(design / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    name = next(name for name in arrays if name.endswith(".weights"))
    arrays[name] = -arrays[name]
    np.savez(broken / "weights.npz", **arrays)
    done = run("verify", broken, "--json")
    assert done.code == 4
    assert done.document["verification"]["mismatches"] > 0
    assert done.err.startswith("flowc: error: ")
    assert "integers differ from onnxruntime" in done.err


@pytest.mark.slow
def test_the_generated_cpp_is_compiled_and_agrees(run: Run, model: Path) -> None:
    report = run("build", model, "--target", "ultra96", "--fps", "1000", "--csim", "-o", "out", "--json").document
    assert report["csim"]["mismatches"] == 0
    assert report["csim"]["samples"] > 0
    np.save("in.npy", samples(3))
    found = run("verify", "out", "--input", "in.npy", "--csim", "--json").document
    assert found["csim"]["mismatches"] == 0
    assert found["csim"]["samples"] == 5  # and one frame of all least, one of all greatest values

    header = next(p for p in sorted(Path("out/hls/params").glob("*.hpp")) if "_weights[" in p.read_text())
    header.write_text(re.sub(r"0x[0-9a-f]+", "0x0", header.read_text()))
    wrong = run("verify", "out", "--input", "in.npy", "--csim", "--json")
    assert wrong.code == 4
    assert wrong.document["verification"]["mismatches"] == 0
    assert wrong.document["csim"]["mismatches"] > 0
