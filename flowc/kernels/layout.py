"""How the products' weights lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocked"]


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
