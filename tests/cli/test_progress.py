"""Progress: a line on a terminal, nothing elsewhere, and never on stdout."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import flowc
from flowc.cli.progress import _Live
from flowc.progress import listening
from tests.cli.helpers import Run
from tests.netbuild import mlp


def on_a_terminal(*arguments: str | Path) -> tuple[str, str]:
    """Stdout, and what a terminal on stderr saw."""
    own, other = pty.openpty()
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                data = os.read(own, 4096)
            except OSError:
                return
            if not data:
                return
            seen.extend(data)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "flowc", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=other, check=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(other)
    reader.join(10)
    os.close(own)
    return done.stdout.decode(), seen.decode(errors="replace")


def test_a_terminal_sees_stages_and_rates(run: Run, model: Path, design: Path) -> None:
    out, seen = on_a_terminal("verify", design, "--samples", "400")
    assert "400 samples" in out
    assert "comparing with onnxruntime" in seen
    assert "of 400 samples" in seen
    assert "/s" in seen
    assert on_a_terminal("verify", design, "--samples", "2", "-q") == ("", "")
    quiet = run("verify", design, "--samples", "2")
    assert (quiet.code, quiet.err) == (0, "")


def test_a_build_tells_pass_layer_rate_and_samples(tmp_path: Path) -> None:
    lines: list[str] = []
    teller = _Live(lines.append)
    with listening(teller):
        design = flowc.build(mlp(), "ultra96", output=tmp_path / "out", progress=teller)
    flowc.build(mlp(), "ultra96")  # nobody listens any more
    layer = next(unit.name for unit in design.graph if unit.kind == "mvtu")
    told = [line.split(": ") for line in lines]
    assert list(dict.fromkeys(first for first, *_ in told)) == [
        "starting", "import", "streamline", "lower", "allocate", "verify", "render",
    ]  # fmt: skip
    assert ["streamline", "fold_activations"] in told
    assert any(stage == "streamline" and rest[0].startswith("fold_activations of ") for stage, *rest in told if rest)
    assert ["allocate", "depths of FIFOs"] in told
    assert any(line[0] == "verify" and line[-1] == layer for line in told)
    assert any(
        line[0] == "verify" and "of 4 samples, " in line[1] and "/s" in line[1] for line in told if len(line) > 1
    )
    assert ["render", layer] in told


def test_rates_are_readable_from_one_in_minutes_to_millions(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    now = iter((0.0, 0.0, 20.0, 0.002))
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    teller = _Live(lines.append)
    teller("verify")
    teller.done(3, 8)
    teller.done(4000, 8000)
    assert lines[-2:] == ["verify: 3 of 8 samples, 0.15/s", "verify: 4,000 of 8,000 samples, 2,000,000/s"]


def test_a_name_of_the_model_cannot_drive_the_terminal() -> None:
    lines: list[str] = []
    _Live(lines.append).at("\x1b[2Jconv\n" + "x" * 500)
    assert lines[-1].startswith("starting: [2Jconv x")
    assert len(lines[-1]) < 80
