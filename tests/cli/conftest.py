"""A command line in an empty folder, a model, and a design that was built from it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from flowc.cli import main
from tests.cli.helpers import Outcome, Run
from tests.netbuild import cnn


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs flowc in an empty working directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    capsys.readouterr()

    def call(*arguments: str | Path) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx.save(cnn(), path)
    return path


@pytest.fixture(scope="session")
def design(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built design; tests read it only."""
    path = tmp_path_factory.mktemp("design") / "net"
    assert main(["build", str(model), "--target", "ultra96", "-o", str(path), "--fps", "1000", "--json"]) == 0
    return path
