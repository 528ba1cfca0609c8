"""The examples run as their pages say, and give the answers that the pages promise."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "examples" / "digits"


def run(name: str, *options: str) -> str:
    command = [sys.executable, "-m", f"examples.{name}.run", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("tabular", 97), ("residual", 97), ("keywords", 99), ("unet", 95), ("finn", 99)]
)
def test_a_trained_network(name: str, least: float, tmp_path: Path) -> None:
    told = run(name, "--output", str(tmp_path))
    assert ": 0 differ" in told
    shares = dict(re.findall(r"^(emulator|C\+\+) +([\d.]+)%", told, re.MULTILINE))
    assert shares.keys() == {"emulator", "C++"}
    assert float(shares["emulator"]) >= least
    assert (tmp_path / name / "layers.svg").stat().st_size > 1000


def test_the_file_in_finns_form_is_the_digits_network_streamlined() -> None:
    from examples.finn.convert import Streamliner

    stored = onnx.load(ROOT / "examples" / "finn" / "model.onnx")
    assert Streamliner(onnx.load(DIGITS / "digits_cnn_w4a4.onnx").graph).run() == stored
    assert {node.op_type for node in stored.graph.node} == {
        "MultiThreshold",
        "Conv",
        "MaxPool",
        "Flatten",
        "MatMul",
        "Mul",
    }


@pytest.mark.slow
def test_quantized_after_training(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the example trains with scikit-learn (extra brevitas)")
    told = run("onnxruntime_ptq", "--output", str(tmp_path))
    shares = dict(re.findall(r"^(emulator|onnxruntime) +([\d.]+)%", told, re.MULTILINE))
    assert shares["emulator"] == shares["onnxruntime"]
    assert float(shares["emulator"]) >= 94


@pytest.mark.slow
def test_quantized_by_torch_ao(tmp_path: Path) -> None:
    told = run("torch_ao", "--output", str(tmp_path))
    shares = dict(re.findall(r"^(emulator|onnxruntime|C\+\+) +([\d.]+)%", told, re.MULTILINE))
    assert shares.keys() == {"emulator", "onnxruntime", "C++"}
    assert shares["emulator"] == shares["onnxruntime"]
    assert float(shares["emulator"]) >= 98


BREVITAS_CNV = [
    (1_555_200, 1, 8, 1),
    (28_901_376, 1, 1, 1),
    (10_616_832, 1, 1, 1),
    (14_745_600, 1, 1, 1),
    (2_654_208, 1, 1, 1),
    (589_824, 1, 1, 1),
    (131_072, 1, 1, 1),
    (262_144, 1, 1, 1),
    (5_120, 1, 1, 11),
]
"""Products and bits of weights, inputs and outputs of the layers of cnv_1w1a as Brevitas 0.13.4 exports it: what the network that stands in
for it, where Brevitas is not installed, must have too."""


@pytest.mark.slow
def test_the_published_network_reaches_its_rates(tmp_path: Path) -> None:
    told = run("cnv", "--no-csim", "--output", str(tmp_path))
    assert ": 0 differ" in told
    if all(importlib.util.find_spec(name) for name in ("torch", "brevitas", "brevitas_examples")):
        assert "Brevitas gives the same 80 outputs" in told
    else:
        assert "a network of the same layers and bits" in told
    layers = json.loads((tmp_path / "cnv" / "report.json").read_text())["layers"]
    keys = ("macs", "weight_bits", "input_bits", "output_bits")
    assert [tuple(layer[key] for key in keys) for layer in layers if layer["unit"] == "mvtu"] == BREVITAS_CNV
    rows = re.findall(r"^ *([\d,]+) +flowc +([\d,]+) +([\d,]+) ", told, re.MULTILINE)
    figures = [[int(cell.replace(",", "")) for cell in row] for row in rows]
    assert [wanted for wanted, _, _ in figures] == [1_000, 3_000, 10_000]
    assert all(fps >= wanted for wanted, fps, _ in figures)
    assert figures[0][2] < figures[1][2] < figures[2][2]
    assert (tmp_path / "cnv" / "rates.svg").stat().st_size > 1000


@pytest.mark.slow
def test_a_design_space(tmp_path: Path) -> None:
    run("design_space", "--targets", "ultra96", "--output", str(tmp_path))
    assert (tmp_path / "fronts.svg").exists()
    assert (tmp_path / "points.csv").read_text().count("\n") > 5


@pytest.mark.slow
def test_the_picture_of_the_digits_is_of_this_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.digits.picture", str(tmp_path / "digits.svg")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("99.17% of 360 images right")
    drawn, kept = (
        re.findall(r"<!-- (\d.*?) -->", p.read_text()) for p in (tmp_path / "digits.svg", DIGITS / "digits.svg")
    )
    assert drawn == kept
    assert sum(", is " in title for title in kept) == 3


def test_the_board_example_draws_what_was_measured(tmp_path: Path) -> None:
    from examples.digits_ulx3s.build import draw

    counts = {"model": {"lut": 70}, "lut": 90}
    units = [{"name": "conv1", "unit": "mvtu"} | counts, {"name": "a -> b", "unit": "fifo"} | counts]
    draw({"synthesis": {"tool": "yosys 1.2", "units": units}}, tmp_path / "units.svg")
    texts = re.findall(r"<!-- (.*?) -->", (tmp_path / "units.svg").read_text())
    assert {"conv1", "1 FIFOs", "modelled", "measured, yosys 1.2"} <= set(texts)
    kept = re.findall(r"<!-- (.*?) -->", (ROOT / "examples" / "digits_ulx3s" / "units.svg").read_text())
    assert {"n1_Conv", "n5_Conv", "n10_MatMul", "modelled"} <= set(kept)


def test_an_option_is_no_folders_name(tmp_path: Path) -> None:
    script = ROOT / "examples" / "digits_ulx3s" / "build.py"
    done = subprocess.run(
        [sys.executable, script, "--target"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "unrecognized arguments: --target" in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_example_is_listed_and_has_a_picture() -> None:
    folders = sorted(p.parent.name for p in (ROOT / "examples").glob("*/README.md"))
    listed = re.findall(r"^\| \[(\w+)\]", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == folders
    for name in folders:
        page = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8")
        assert re.search(r"!\[[^\]]+\]\(\w[\w-]*\.(svg|png)\)", page), name
