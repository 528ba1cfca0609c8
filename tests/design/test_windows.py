"""Integers inside of windows: asked one by one or searched, the same."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.design.excuses import in_windows
from flowc.model.dtypes import SInt
from flowc.units.base import Frame


@pytest.mark.parametrize("sets", [1, 3, 24])
def test_many_windows_are_searched(sets: int) -> None:
    """Overlapping windows, in no order, some empty: for all channels alike, for each, and for each element of a frame."""
    rng = np.random.default_rng(sets)
    frame = Frame(4, 2, 3, SInt(16))
    low = rng.integers(-20_000, 20_000, (sets, 700))
    high = low + rng.integers(0, 30, low.shape)
    acc = rng.integers(-21_000, 21_000, (5, 4, 2, 3))
    acc[0].flat[:] = low[0, :24]
    acc[1].flat[:] = high[-1, :24]
    every = [
        np.broadcast_to(w.reshape((*frame.shape, -1) if sets == 24 else (1, 1, sets, -1)), (4, 2, 3, 700))
        for w in (low, high)
    ]
    wanted = ((acc[..., None] >= every[0]) & (acc[..., None] < every[1])).any(axis=-1)
    assert 0.1 < wanted.mean() < 0.9
    np.testing.assert_array_equal(in_windows(acc, (low, high), frame), wanted)
    np.testing.assert_array_equal(
        in_windows(acc, (low[:, :200], high[:, :200]), frame),
        ((acc[..., None] >= every[0][..., :200]) & (acc[..., None] < every[1][..., :200])).any(axis=-1),
    )
