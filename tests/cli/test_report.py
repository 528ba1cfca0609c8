"""``flowc report``: a folder in a command's place is shown; what is no report is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from flowc.cli import main
from flowc.report.budget import Budget, broken
from flowc.report.compare import compare
from flowc.report.markdown import markdown_of
from tests.netbuild import mlp


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    onnx.save(mlp(), folder / "mlp.onnx")
    assert main(["build", str(folder / "mlp.onnx"), "--target", "pynq-z2", "-o", str(folder / "out"), "--json"]) == 0
    return folder / "out"


def test_a_folder_is_shown_and_its_page_written_again(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (built / "report.html").read_bytes()
    (built / "report.html").unlink()
    assert main(["report", str(built)]) == 0
    assert "frames/s" in capsys.readouterr().out
    assert (built / "report.html").read_bytes() == page
    assert main(["report", "--json", str(built)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((built / "report.json").read_text())
    assert main(["report", "show", str(built), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "said"), [("{", "is damaged"), ("[]", "no report of schema 1"), (None, "cannot read")]
)
def test_what_is_no_report_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    assert main(["report", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
    assert main(["report", "--help"]) == 0


@pytest.fixture
def wider(built: Path, tmp_path: Path) -> Path:
    """The same build with one layer that is larger and slower, and half the rate."""
    folder = tmp_path / "wider"
    shutil.copytree(built, folder)
    report = json.loads((folder / "report.json").read_text())
    report["fps"] /= 2
    report["resources"]["lut"] += 100
    report["layers"][0]["lut"] += 100
    report["layers"][0]["cycles"] *= 2
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_builds_side_by_side(built: Path, wider: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((built / "report.json").read_text())
    page = tmp_path / "changes.html"
    assert main(["report", "--json", "--html", str(page), str(built), str(wider)]) == 0
    found = json.loads(capsys.readouterr().out)
    figures = {figure["key"]: figure for figure in found["figures"]}
    assert figures["fps"]["values"] == [before["fps"], before["fps"] / 2]
    assert figures["fps"]["changes"] == [0.0, -0.5]
    lut = before["resources"]["lut"]
    assert figures["lut"]["changes"][1] == pytest.approx(100 / lut)
    (layer,) = found["layers"]
    assert layer["name"] == before["layers"][0]["name"]
    assert set(layer["values"]) == {"cycles", "lut"}
    assert found["same"] == len(before["layers"]) - 1
    assert f'<data value="{before["fps"] / 2}">' in page.read_text()

    assert main(["report", str(built), str(wider)]) == 0
    printed = capsys.readouterr().out
    assert "-50%" in printed
    assert main(["report", "--markdown", str(built), str(wider)]) == 0
    table = capsys.readouterr().out
    assert "(-50% \u2717)" in table
    assert "1 layers differ" in table
    assert main(["report", "--markdown", str(built), str(built)]) == 0
    assert f"All {len(before['layers'])} layers are the same." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("budget", "code", "said"),
    [
        ("fps>=-60%", 0, ""),
        ("fps>=-2%", 3, "over budget: fps >= -2%: it is"),
        ("lut<=1", 3, "lut <= 1: it is"),
        ("lut<=1e9", 0, ""),
        ("latency_ms<=1_000", 0, ""),
        ("lut<30", 2, "is not FIGURE<=N"),
        ("speed>=3", 2, "names no figure; there are fps, latency_ms"),
    ],
)
def test_budgets(
    built: Path, wider: Path, capsys: pytest.CaptureFixture[str], budget: str, code: int, said: str
) -> None:
    assert main(["report", str(built), str(wider), "-q", "--budget", budget]) == code
    assert said in capsys.readouterr().err


def test_budgets_of_what_is_not_known(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(built), "-q", "--budget", "lut<=+3%"]) == 2
    assert "needs a build to compare with" in capsys.readouterr().err
    report = json.loads((built / "report.json").read_text())
    unknown = compare([report | {"latency_ms": None}], ["x"])
    assert broken(unknown, [Budget.parse("latency_ms<=3")]) == ["latency_ms <= 3: not known of this build"]


def test_names_in_markdown_are_text(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    report["layers"][0]["name"] = "a|b`<b>\n[x](y)"
    report["layers"][0]["lut"] = 1
    other = json.loads((built / "report.json").read_text())
    text = markdown_of(compare([other, report], ["one|two", "2"]))
    assert "a\\|b\\`\\<b\\>\u240a\\[x\\]\\(y\\)" in text
    assert "one\\|two" in text
