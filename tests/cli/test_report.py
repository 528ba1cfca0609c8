"""``flowc report``: a folder in a command's place is shown; what is no report is refused."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from flowc.cli import main
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
    assert main(["report", "--json", str(built), str(built)]) == 0
    assert json.loads(capsys.readouterr().out) == [json.loads((built / "report.json").read_text())] * 2
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
