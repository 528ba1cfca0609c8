"""One command in a process of its own, and what it took by the operating system's account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "metered"]

_MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, done.returncode, done.stderr[-400:]]))
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of user and system, and the peak of resident memory in bytes."""

    cpu_s: float
    peak_bytes: int


def metered(
    command: Sequence[object], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Cost:
    """What ``command`` and the processes it starts take. ``environment`` is added to this process' own.

    Compiled Python is kept, as it is on a user's machine. Raises RuntimeError, with the end of what it said, where the command fails.
    """
    around = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | dict(environment or {})
    told = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, command)],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env=around,
    )
    cpu, peak, code, said = json.loads(told.stdout)
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))}: {said}")
    return Cost(cpu, peak)
