"""How often integers occur in the rows of a matrix, counted once."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.exact import counts


def test_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix and its transpose are not taken for each other, nor is another for one that is gone."""
    made = []
    monkeypatch.setattr(counts, "_counted", lambda rows, count=counts._counted: made.append(rows.shape) or count(rows))
    rng = np.random.default_rng(0)
    for _ in range(3):
        weights = rng.integers(-3, 4, (20, 30))
        for rows in (weights, weights.T, weights[:, ::2], weights.reshape(30, 20), weights, weights.T):
            found = counts.value_counts(rows)
            assert found is not None
            values, times = found
            np.testing.assert_array_equal(times, (rows[:, :, None] == values).sum(axis=1))
    assert made == 3 * [(20, 30), (30, 20), (20, 15), (30, 20)]
    assert counts.value_counts(rng.integers(0, 100, (4, 50))) is None
