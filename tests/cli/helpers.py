"""What tests of the command line share: an outcome, and what a refusal looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Outcome:
    """What one run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as JSON."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


def samples(batch: int) -> np.ndarray:
    return RNG.normal(0, 1, (batch, 2, 8, 8)).astype(np.float32)


def tree(folder: Path) -> list[str]:
    return sorted(str(entry.relative_to(folder)) for entry in folder.rglob("*"))


def refused(done: Outcome, code: int = 2) -> str:
    """The message of a refusal: one paragraph on stderr, nothing on stdout."""
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("flowc: error: ")
    assert done.err.count("\n") == 1
    return done.err.removeprefix("flowc: error: ").removesuffix("\n")
