"""How much the command line says, and what verification leaves behind."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import onnx
import pytest

import flowc
from flowc.cli import main
from tests.netbuild import mlp


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(mlp(), tmp_path / "mlp.onnx")
    return tmp_path / "mlp.onnx"


def test_quiet_and_verbose(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(model), "--target", "ultra96", "-o", "out", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["verify", "out", "--samples", "1", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["build", str(model), "--target", "nowhere", "-q"]) == 2
    assert capsys.readouterr().err.startswith("flowc: error: ")
    assert main(["estimate", str(model), "--target", "ultra96", "-v"]) == 0
    said = capsys.readouterr()
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == [
        "import",
        "streamline",
        "lower",
        "allocate",
    ]
    assert all(line.endswith(" s") for line in said.err.splitlines())
    assert "took" in said.out


def test_verification_is_kept_in_the_report_and_keeps_no_rebuild(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", str(model), "--target", "ultra96", "-o", "out"]
    assert main([*command, "--no-verify"]) == 0
    assert json.loads(Path("out/report.json").read_text())["verification"] is None
    assert main(["verify", "out", "--samples", "3"]) == 0
    assert json.loads(Path("out/report.json").read_text())["verification"]["samples"] == 3
    assert "3 samples" in Path("out/report.html").read_text() or "<td>3</td>" in Path("out/report.html").read_text()
    assert main(command) == 0
    Path("out/hls/top.cpp").write_text("// tuned by hand")
    capsys.readouterr()
    assert main(command) == 2
    assert "'hls/top.cpp'" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert Path("out.before-flowc/hls/top.cpp").read_text() == "// tuned by hand"


def test_the_folding_of_a_build_can_be_edited_and_given_back(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(model), "--target", "ultra96", "-o", "out", "-q"]) == 0
    folding = json.loads(Path("out/folding.json").read_text())
    name = next(n for n, keys in folding.items() if "pe" in keys)
    folding[name] |= {"pe": 1, "simd": 1}
    Path("mine.json").write_text(json.dumps(folding))
    assert main(["build", str(model), "--target", "ultra96", "-o", "out", "--folding", "mine.json", "-q"]) == 0
    assert json.loads(Path("out/folding.json").read_text())[name]["pe"] == 1


def test_objects_say_in_a_line_what_they_are(model: Path) -> None:
    report = flowc.estimate(model, target="ultra96", fps=1000)
    assert repr(report).startswith("<flowc report: mlp on ultra96 at 100 MHz: ")
    assert "fits" in repr(report)
    assert "not verified" in repr(report)
    assert len(repr(report)) < 300
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(json.dumps(report)) == report
    found = flowc.info(model)
    assert repr(found).startswith("<flowc info: mlp: ")
    design = flowc.build(model, target="ultra96", fps=1000)
    assert repr(design).startswith("<flowc design: mlp on ultra96")
    assert "0 mismatches in " in repr(design)
    for page in (report._repr_html_(), found._repr_html_(), design._repr_html_()):
        assert page.count("<tr>") == page.count("</tr>") == len(found["layers"]) + 1 or page.count("<tr>") > 2


def test_names_in_html_are_escaped() -> None:
    model = mlp()
    for node in model.graph.node:
        node.name = "<script>\x1b" + node.name
    page = flowc.estimate(model, target="ultra96")._repr_html_()
    assert "<script>" not in page
    assert "\x1b" not in page
