"""Progress: a line on a terminal, nothing elsewhere, and never on stdout."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

from tests.cli.helpers import Run


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
