"""Spans of integers against sets of Python integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.exact.spans import covered, neighbours, packed, stacked, touching

Array = np.ndarray[Any, Any]


def members(low: Array, high: Array) -> set[int]:
    return {q for a, b in zip(low.tolist(), high.tolist(), strict=True) for q in range(a, b)}


@pytest.mark.parametrize("seed", range(20))
def test_any_spans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(-9, 9, (3, 5))
    high = low + rng.integers(-2, 6, (3, 5))
    rows = [members(a, b) for a, b in zip(low, high, strict=True)]
    assert covered(low, high) == sum(len(r) for r in rows)
    kept = packed(low, high)
    assert [members(*s) for s in kept] == rows
    assert all((b > a).all() for a, b in kept)
    wide = stacked(kept)
    assert wide[0].shape == wide[1].shape == (3, max(len(a) for a, _ in kept))
    assert [members(a, b) for a, b in zip(*wide, strict=True)] == rows
    runs = [neighbours(np.array(sorted(r), np.int64)) for r in rows]
    assert [members(*r) for r in runs] == rows
    assert all((r[0][1:] > r[1][:-1]).all() for r in runs)
    at = rng.integers(-12, 18, (3, 6))
    wanted = [[any(q in row for q in (t, t - 1)) for t in own] for own, row in zip(at.tolist(), rows, strict=True)]
    assert touching(at, *stacked(runs)).tolist() == wanted


def test_one_run_and_none() -> None:
    assert [e.tolist() for e in neighbours(np.array([4]))] == [[4], [5]]
    assert [e.tolist() for e in neighbours(np.array([4, 5, 7]))] == [[4, 7], [6, 8]]
    assert [e.tolist() for e in neighbours(np.array([], np.int64))] == [[], []]
    assert covered(np.array([[0, 3, 1]]), np.array([[2, 5, 4]])) == 5
