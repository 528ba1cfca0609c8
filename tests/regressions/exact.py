"""What every regression test asks: the net compiles, and all its integers equal both references'."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.fuzz.checking import Outcome, check
from tests.fuzz.generator import RandomNet


def assert_exact(model: onnx.ModelProto, x: npt.NDArray[Any], *, input_type: str | None = None) -> Outcome:
    """Compiles `model`, compares every integer for the samples `x` (N, ...); returns what was found."""
    inputs = {model.graph.input[0].name: np.asarray(x, np.float32)}
    outcome = check(RandomNet(model, inputs, input_type, inputs, frozenset(), 0))
    assert outcome.status == "ok", outcome.reason
    return outcome


def grid(shape: tuple[int, ...], scale: float, *, lo: int = -8, hi: int = 7, seed: int = 0) -> npt.NDArray[np.float32]:
    """Random samples on a quantizer's grid."""
    return (np.random.default_rng(seed).integers(lo, hi + 1, shape) * scale).astype(np.float32)
