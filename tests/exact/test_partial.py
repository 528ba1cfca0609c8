"""Partial sums in runs against the sequences that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact import bounds, counts, partial
from flowc.exact.partial import PartialSums
from flowc.units.base import Array


@st.composite
def counted(draw: st.DrawFn) -> tuple[PartialSums, Array]:
    """Sums of a few terms that occur some times each (in every row as many in all), and the sequences by definition."""
    rows, values, count = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 40))
    terms = draw(st.lists(st.integers(0, 900), min_size=values, max_size=values).map(np.array))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    picks = rng.integers(0, values, (rows, count))
    occurring = np.stack([np.bincount(p, minlength=values) for p in picks])
    each = -np.sort(-terms[picks], axis=1)
    dense = np.concatenate([np.zeros((rows, 1)), np.cumsum(each, axis=1)], axis=1)
    return PartialSums.of_counts(terms.astype(float), occurring), dense


def _below(dense: Array, values: Array) -> Array:
    return np.asarray((dense[:, None, :] < values[:, :, None]).sum(axis=2))


@settings(max_examples=200)
@given(counted(), st.integers(0, 2**32 - 1))
def test_runs_are_the_sequences_of_their_terms(given_: tuple[PartialSums, Array], seed: int) -> None:
    sums, dense = given_
    rng = np.random.default_rng(seed)
    np.testing.assert_array_equal(sums.dense(), dense)
    assert sums.count == dense.shape[1] - 1
    np.testing.assert_array_equal(sums.total, dense[:, -1:])
    picked = np.take_along_axis(dense, rng.integers(0, dense.shape[1], (len(dense), 9)), axis=1)
    nudges = rng.choice([0.0, 1e-9, -1e-9, 0.5, -0.5, 1e6, -1e6], picked.shape)
    np.testing.assert_array_equal(sums.below(picked + nudges), _below(dense, picked + nudges))
    np.testing.assert_array_equal(sums.merged().dense(), dense.max(axis=0, keepdims=True))
    row = int(rng.integers(len(dense)))
    np.testing.assert_array_equal(sums.at_rows(np.array([row, row])).dense(), dense[[row, row]])
    np.testing.assert_array_equal(sums.part(slice(row, row + 1)).dense(), dense[row : row + 1])
    again = PartialSums.of_sequence(dense)
    np.testing.assert_array_equal(again.dense(), dense)
    np.testing.assert_array_equal(again.below(picked + nudges), _below(dense, picked + nudges))


@settings(max_examples=60)
@given(counted(), counted(), st.integers(0, 2**32 - 1))
def test_rows_of_several_are_as_long_as_the_longest(
    one: tuple[PartialSums, Array], other: tuple[PartialSums, Array], seed: int
) -> None:
    whole = PartialSums.stacked([one[0], other[0]])
    most = max(d.shape[1] for _, d in (one, other))
    dense = np.concatenate([np.pad(d, ((0, 0), (0, most - d.shape[1])), mode="edge") for _, d in (one, other)])
    np.testing.assert_array_equal(whole.dense(), dense)
    values = np.random.default_rng(seed).uniform(-5, dense.max() + 5, (len(dense), 7))
    np.testing.assert_array_equal(whole.below(values), _below(dense, values))


@pytest.mark.parametrize("runs", [1, 5, 200])
@pytest.mark.parametrize("rows", [1, 3])
def test_what_stands_beside_each_other_answers_for_itself(
    runs: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared at once, one by one, or searched for; one row serves all rows of values, and values serve both."""
    monkeypatch.setattr(partial, "_ONE_BY_ONE", runs)
    monkeypatch.setattr(partial, "_AT_ONCE", 1 << 14 if runs == 5 else 0)
    rng = np.random.default_rng(rows)
    parts = [
        PartialSums.of_counts(
            rng.integers(0, 9, 7).astype(float), rng.permuted(np.tile(np.arange(7), (rows, 1)), axis=1)
        )
        for _ in range(2)
    ]
    beside = PartialSums.beside(parts)
    values, places = rng.uniform(-1, 140, (4, 1, 3, 6)), rng.integers(0, 22, (4, 2, 3, 6))
    below, at = beside.below(values), beside.at(places)
    assert below.shape == at.shape == (4, 2, 3, 6)
    for k, row in np.ndindex(2, 3):
        dense = parts[k].dense()[row % rows]
        np.testing.assert_array_equal(below[:, k, row], (dense < values[:, 0, row, :, None]).sum(axis=-1))
        np.testing.assert_array_equal(at[:, k, row], dense[places[:, k, row]])


def test_one_row_serves_all() -> None:
    sums = PartialSums.of_counts(np.array([3.0, 1.0]), np.array([[2, 3]]))
    assert sums.part(slice(4, 6)) is sums
    assert sums.merged() is sums
    assert sums.below(np.array([[3.5, 9.5], [0.0, 6.0]])).tolist() == [[2, 6], [0, 2]]


@pytest.mark.parametrize("runs", [1, 100])
def test_many_runs_are_searched(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "_ONE_BY_ONE", runs)
    rng = np.random.default_rng(0)
    terms = rng.integers(0, 50, (3, 20)).astype(float)
    sums, values = PartialSums.of_terms(terms), rng.uniform(-1, 800, (3, 11))
    np.testing.assert_array_equal(sums.below(values), _below(sums.dense(), values))
    one = sums.at_rows(slice(1, 2))
    np.testing.assert_array_equal(one.below(values), _below(one.dense().repeat(3, 0), values))


@pytest.mark.parametrize("portion", [1, 1 << 20])
def test_weights_are_counted_as_their_terms_are_listed(portion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to the same bound: by counts where inputs are alike, term by term where they are not."""
    monkeypatch.setattr(counts, "_AT_ONCE", portion)
    rng = np.random.default_rng(1)
    weights = rng.integers(-7, 8, (40, 5)).astype(np.float32)
    node = bounds.ir.node("IntMatMul", [None, None], domain="flowc")
    counted_, spread = bounds._weighted(node, weights, np.array([12.0]), np.array([3.0]))
    monkeypatch.setattr(counts, "_VALUES", 0)
    uncounted = weights.copy()  # the counts of the first are remembered
    listed, other = bounds._weighted(node, uncounted, np.array([12.0]), np.array([3.0]))
    np.testing.assert_array_equal(spread, other)
    np.testing.assert_array_equal(counted_.size, listed.size)
    assert counted_.greatest == listed.greatest
    assert counted_.up.sums.shape[1] < listed.up.sums.shape[1]
    for ours, theirs in ((counted_.up, listed.up), (counted_.down, listed.down)):
        np.testing.assert_array_equal(ours.dense(), theirs.dense())
