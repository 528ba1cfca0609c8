"""How the products' weights lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["aligned", "blocked"]

_LINE = 64
_BEHIND = 2048
"""Bytes that a kernel may read behind the weights: 16 steps of a block of 32 channels (``src/tiles.h``)."""


def blocked(values: NDArray[Any], block: int, per_step: int) -> NDArray[Any]:
    """Weights (groups, rows, runs, length) as [group][block of rows][run][step][row of the block][element of the step], zero-padded."""
    groups, rows, runs, length = values.shape
    blocks, steps = -(-rows // block), -(-length // per_step)
    if (rows, length) != (blocks * block, steps * per_step):
        padded = np.zeros((groups, blocks * block, runs, steps * per_step), values.dtype)
        padded[:, :rows, :, :length] = values
        values = padded
    split = values.reshape(groups, blocks, block, runs, steps, per_step)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 4, 2, 5))


def aligned(values: NDArray[Any]) -> NDArray[Any]:
    """A copy that begins with a cache line, and may be read a little beyond its end."""
    memory = np.zeros(values.nbytes + _LINE + _BEHIND, np.uint8)
    start = -memory.ctypes.data % _LINE
    copy: NDArray[Any] = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[:] = values
    return copy
