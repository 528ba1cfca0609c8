"""Cases of `tests.fuzz.hostile` in a process of their own, watched for time and memory.

The process reads lines "KIND SEED" and answers each with a line of JSON. One that hangs is ended, and counts as failed.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["SECONDS", "Watched"]

SECONDS = 20.0
"""Longest time of a case, of a processor that does nothing else."""

MEGABYTES = 2048
"""Most memory."""

_LONGEST = 15.0
"""How much longer a case may take on a busy machine before its process is ended."""


class Watched:
    """A process that runs cases; a new one takes the place of one that was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, kind: str, seed: int) -> dict[str, Any]:
        """The outcome of a case, with its ``seconds`` of processor time and ``megabytes``."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{kind} {seed}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], SECONDS * _LONGEST)
        line = process.stdout.readline() if ready else ""
        if not line:
            self.close()
            reason = "it ended the process" if ready else "it does not end"
            return {"status": "failed", "reason": reason, "compared": 0, "what": "", "seconds": None, "megabytes": None}
        found: dict[str, Any] = json.loads(line)
        if found["status"] != "failed":
            if found["seconds"] > SECONDS:
                found |= {"status": "failed", "reason": f"{found['seconds']:.0f} s"}
            elif found["megabytes"] > MEGABYTES:
                found |= {"status": "failed", "reason": f"{found['megabytes']} MB"}
        return found

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                cwd=Path(__file__).parents[2],
            )  # fmt: skip
        return self._process

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _memory() -> int:
    """Most megabytes that the process had since `_forget`."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) // 1024 if match else 0


def _forget() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Answers cases until there are no more."""
    from tests.fuzz.hostile import attack, designs

    answers, sys.stdout = sys.stdout, sys.stderr
    designs()
    for line in sys.stdin:
        kind, seed = line.split()
        _forget()
        start = time.process_time()
        with tempfile.TemporaryDirectory(prefix="flowc-attack-") as folder:
            found = attack(kind, int(seed), Path(folder)).as_dict()
        found |= {"seconds": round(time.process_time() - start, 3), "megabytes": _memory()}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
