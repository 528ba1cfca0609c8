"""The command line where its output has no reader, no room, or is not there at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from flowc.cli import main
from tests.netbuild import mlp


def run(redirection: str, *arguments: str) -> tuple[int, str]:
    command = f'"$0" -m flowc {" ".join(arguments)} {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture
def mlp_file(tmp_path: Path) -> Path:
    onnx.save(mlp(), tmp_path / "mlp.onnx")
    return tmp_path / "mlp.onnx"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_output_is_said() -> None:
    code, said = run("> /dev/full", "targets")
    assert code == 2
    assert said.startswith("flowc: error: the output can't be written: No space left on device.")
    assert "Traceback" not in said


@pytest.mark.parametrize("redirection", [">&-", "| head -c 1"])
def test_an_output_that_nobody_reads_is_no_error(redirection: str) -> None:
    code, said = run(redirection, "targets")
    assert code == 0
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_closed_stderr_costs_the_message_only() -> None:
    code, _ = run("2>&-", "targets", "--nonsense")
    assert code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "MODEL", "--target", "ultra96", "--fps", "9" * 400],
        ["estimate", "MODEL", "--target", "ultra96", "--clock", "9" * 400],
        ["estimate", "MODEL", "--target", "ultra96", "--utilization", "lut=" + "9" * 400],
        ["estimate", "MODEL", "--target", "ultra96", "--input-type", "uint8:" + "9" * 400],
        ["estimate", "MODEL", "--target", "ultra96", "--folding", "/dev/zero"],
        ["estimate", "MODEL", "--target", "ultra96", "--config", "/dev/zero"],
        ["estimate", "MODEL", "--target", "/dev/zero"],
        ["estimate", "/dev/zero", "--target", "ultra96"],
        ["explore", "MODEL", "--targets", "ultra96", "--fps-range", "1:" + "9" * 400],
        ["explore", "MODEL", "--targets", "ultra96", "--fps-range", "5e-324:1e308"],
        ["run", "/dev/zero", "--input", "x", "--output", "y"],
    ],
)
def test_absurd_requests_are_refused(arguments: list[str], mlp_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(mlp_file) if a == "MODEL" else a for a in arguments]
    assert main(given) in (2, 3)
    assert capsys.readouterr().err.startswith("flowc: error: ")


def test_the_least_rate_that_can_be_written_is_a_rate(mlp_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", str(mlp_file), "--target", "ultra96", "--fps", "5e-324"]) == 0
    assert "frames/s" in capsys.readouterr().out
