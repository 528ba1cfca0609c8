"""Step functions: bisection finds what walking through every integer finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact.budget import TooLarge
from flowc.exact.search import bisect, first_near, first_reached
from flowc.exact.steps import (
    Levels,
    Steps,
    assemble,
    steps_by_bisection,
    steps_by_exhaustion,
    steps_of,
)
from flowc.units.base import Array


@st.composite
def functions(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """(lo, hi, table): monotone step functions, per set rising or falling, with jumps of several levels."""
    sets, width = draw(st.integers(1, 4)), draw(st.integers(1, 60))
    lo = np.array(draw(st.lists(st.integers(-50, 50), min_size=sets, max_size=sets)))
    spans = np.array(draw(st.lists(st.integers(0, width - 1), min_size=sets, max_size=sets)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rises = rng.choice([0, 0, 0, 1, 1, 3], (sets, width))
    table = np.cumsum(rises, axis=1) * rng.choice([-1, 1], (sets, 1)) + rng.integers(-5, 6, (sets, 1))
    return lo, lo + spans, table


def as_levels(lo: Array, table: Array) -> Levels:
    def levels(q: Array, rows: slice) -> Array:
        index = q - lo[rows, None]
        result: Array = np.take_along_axis(table[rows], np.broadcast_to(index, (len(table[rows]), q.shape[1])), axis=1)
        return result

    return levels


def domain(lo: Array, hi: Array) -> Array:
    return np.minimum(lo[:, None] + np.arange(int((hi - lo).max()) + 1), hi[:, None])


@settings(max_examples=150, deadline=None)
@given(functions())
def test_bisection_equals_exhaustion(case: tuple[Array, Array, Array]) -> None:
    lo, hi, table = case
    levels = as_levels(lo, table)
    q = domain(lo, hi)
    wanted = levels(q, slice(None))
    walked = steps_by_exhaustion(levels, lo, hi, 1)
    searched = steps_by_bisection(levels, lo, hi, 1)
    for found in (walked, searched):
        np.testing.assert_array_equal(found(q), wanted)
        assert found.reached == (wanted.min(), wanted.max())
        assert (np.diff(found.at, axis=1) >= 0).all()
    assert walked.at.shape == searched.at.shape
    np.testing.assert_array_equal(walked.at, searched.at)
    np.testing.assert_array_equal(
        np.broadcast_to(walked.step, walked.at.shape), np.broadcast_to(searched.step, searched.at.shape)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_exhaustion_of_any_function(sets: int, width: int, seed: int) -> None:
    """Functions that rise and fall, with steps of two (bipolar)."""
    rng = np.random.default_rng(seed)
    lo = rng.integers(-40, 40, sets)
    hi = lo + width - 1
    table = rng.choice([-1, 1], (sets, width))
    found = steps_by_exhaustion(as_levels(lo, table), lo, hi, 2)
    q = domain(lo, hi)
    np.testing.assert_array_equal(found(q), table)
    assert (np.abs(found.step) == 2).sum() >= 1 or (table == table[:, :1]).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 500), st.integers(-1100, 1600)), min_size=1, max_size=8)
)
def test_bisect_finds_the_first(cases: list[tuple[int, int, int]]) -> None:
    lo = np.array([c[0] for c in cases])
    hi = lo + np.array([c[1] for c in cases])
    edge = np.array([c[2] for c in cases])
    found = bisect(lambda q: q >= edge, lo, hi)
    np.testing.assert_array_equal(found, np.where(edge > hi, hi + 1, np.maximum(edge, lo)))


@settings(max_examples=100)
@given(st.data())
def test_levels_are_reached_first_where_halving_finds_them(data: st.DataObject) -> None:
    """Ranges of one integer to 2^41, functions that rise by many levels at once, as few thresholds as one and more than are searched together."""
    sets, most = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([1, 2, 15, 1500]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    lo = rng.integers(-(1 << data.draw(st.integers(1, 40))), 1, (sets, 1))
    hi = lo + rng.integers(0, 1 << data.draw(st.integers(1, 40)), (sets, 1))
    edges = np.sort(rng.integers(lo - 2, hi + 3, (sets, most)), axis=1)
    probed: list[Array] = []

    def levels(q: Array) -> Array:
        probed.append(q)
        return np.stack([np.searchsorted(e, x, side="right") for e, x in zip(edges, q, strict=True)])

    found = first_reached(levels, lo, hi, np.broadcast_to(1 + np.arange(most), edges.shape))
    np.testing.assert_array_equal(found, np.clip(edges, lo, hi + 1))
    assert all((q >= lo).all() and (q <= hi).all() for q in probed)
    assert len(probed) <= (5 if most < 100 else 42)


def test_a_level_that_is_begun_one_late_is_seen() -> None:
    """Each integer beside a threshold is told apart, wherever it lies between the samples."""
    lo, hi = np.zeros((1, 1), np.int64), np.full((1, 1), 9999)
    for edge in range(0, 10001, 7):
        found = first_reached(lambda q, edge=edge: (q >= edge).astype(np.int64), lo, hi, np.ones((1, 1), np.int64))  # type: ignore[misc]
        assert found.item() == edge


def test_what_ripples_is_halved() -> None:
    """A function that falls again by a level: halving finds the place that it always found, whatever else is searched with it."""
    ripple = np.array([0] * 500 + [1, 0, 1, 1, 0] + [1] * 495)
    asked: list[int] = []

    def levels(q: Array, rows: slice) -> Array:
        asked.append(q.shape[1])
        return np.asarray(ripple[q])

    lo, hi = np.array([0]), np.array([999])
    found = steps_by_bisection(levels, lo, hi, 1, ripples=True)
    assert max(asked) == 2
    assert found.at.item() == bisect(lambda q: ripple[q] >= 1, lo, hi).item()


def test_sets_that_start_at_different_levels_share_one_base() -> None:
    lo, hi = np.array([0, 0]), np.array([9, 9])
    events = [(np.array([3]), np.array([1])), (np.array([5, 7]), np.array([1, 1]))]
    found = assemble(lo, hi, np.array([4, 6]), events, 1)
    assert found.monotone
    assert found.base.tolist() == [4, 4]
    # The second set starts two levels higher: two thresholds that always hold.
    assert found.at.tolist() == [[3, 10, 10, 10], [0, 0, 5, 7]]
    np.testing.assert_array_equal(found(np.array([[0, 2, 3, 9], [0, 4, 5, 9]])), [[4, 4, 5, 5], [6, 6, 7, 8]])
    assert found.reached == (4, 8)


def test_constant_functions_have_no_threshold() -> None:
    found = steps_of(lambda q, rows: np.full(q.shape, 7), np.array([-5]), np.array([5]), None, 1)
    assert found.at.shape == (1, 0)
    assert found.reached == (7, 7)
    np.testing.assert_array_equal(found(np.array([[-5, 0, 5]])), 7)


def test_large_ranges_are_searched_only_where_monotone() -> None:
    lo, hi = np.array([-(1 << 29)]), np.array([1 << 29])
    calls = []

    def levels(q: Array, rows: slice) -> Array:
        calls.append(q.size)
        return np.asarray(q // 100_000_000)

    with pytest.raises(TooLarge):
        steps_of(levels, lo, hi, None, 1)
    found = steps_of(levels, lo, hi, np.ones((1, 1)), 1)
    assert sum(calls) < 50_000
    assert found.at[0].tolist() == [k * 100_000_000 for k in range(-5, 6)]
    falling = steps_of(lambda q, rows: -(q // 100_000_000), lo, hi, -np.ones((1, 1)), 1)
    np.testing.assert_array_equal(falling(np.array([[-1, 0, 99_999_999, 100_000_000]])), [[1, 0, 0, -1]])


def test_thresholds_beyond_the_range_are_not_reached() -> None:
    steps = Steps(np.array([0]), np.array([10]), np.array([0]), np.array([[-3, 4, 11]]), np.ones((1, 1), np.int64))
    assert steps.reached == (1, 2)


@settings(max_examples=200)
@given(st.data())
def test_a_search_from_a_guess_finds_what_halving_finds(data: st.DataObject) -> None:
    numbers = st.integers(-(1 << 33), 1 << 33)
    ends = data.draw(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
    lo, hi = (np.array([pick(pair) for pair in ends]) for pick in (min, max))
    near = st.integers(-3, 3) | numbers
    edge = np.array([data.draw(st.sampled_from(pair)) + data.draw(near) for pair in ends])
    guess = edge + np.array([data.draw(near) for _ in ends])
    probed: list[np.ndarray] = []

    def reached(q: np.ndarray) -> np.ndarray:
        probed.append(q)
        return np.asarray(q >= edge)

    found = bisect(reached, lo, hi, guess)
    np.testing.assert_array_equal(found, np.clip(edge, lo, hi + 1))
    assert all((q >= lo).all() and (q <= hi).all() for q in probed)


@settings(max_examples=100)
@given(st.data())
def test_a_guess_is_believed_only_where_its_neighbours_say_so(data: st.DataObject) -> None:
    """Guesses that are right, off by one, or wherever; also of more searches than are looked at together."""
    sets, most = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1, 7, 6000]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    lo = rng.integers(-(1 << data.draw(st.integers(1, 33))), 1, (sets, most))
    hi = lo + rng.integers(-1, 1 << data.draw(st.integers(1, 33)), (sets, most))
    edge = rng.integers(lo - 3, hi + 4)
    off = data.draw(st.sampled_from([0, 1, 2, 5, 1 << 33]))
    guess = edge + rng.integers(-off, off + 1, edge.shape)
    asked = []

    def reached(q: Array) -> Array:
        asked.append(q.shape[1] // most)
        return q >= np.tile(edge, q.shape[1] // most)

    found = first_near(reached, lo, hi, guess)
    np.testing.assert_array_equal(found, np.where(lo > hi, lo, np.clip(edge, lo, hi + 1)))
    if not off and most < 6000:
        assert asked == [4]


def test_a_search_from_a_right_guess_asks_twice() -> None:
    asked = []
    edge = np.array([5, 900, 77])
    found = bisect(lambda q: bool(asked.append(q)) | (q >= edge), np.zeros(3, np.int64), np.full(3, 1000), edge)
    np.testing.assert_array_equal(found, edge)
    assert len(asked) == 2


@settings(max_examples=100)
@given(st.data())
def test_values_of_steps_are_those_of_their_definition(data: st.DataObject) -> None:
    sets, levels = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 5))
    far = data.draw(st.sampled_from((10, 1 << 30, 1 << 60)))
    numbers = st.integers(-far, far)
    draw = lambda shape, of: np.array(  # noqa: E731
        data.draw(st.lists(of, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))), np.int64
    ).reshape(shape)
    at = np.sort(draw((sets, levels), numbers), axis=1)
    step = (
        draw((1, 1), st.sampled_from((1, 2))) if data.draw(st.booleans()) else draw((sets, levels), st.integers(-2, 2))
    )
    base, q = draw((sets,), st.integers(-9, 9)), draw((sets, 6), numbers)
    q[:, :levels] = at[:, :6]
    steps = Steps(at[:, 0] if levels else base, at[:, -1] if levels else base, base, at, step)
    wanted = base[:, None] + ((q[:, :, None] >= at[:, None]) * np.broadcast_to(step, at.shape)[:, None]).sum(axis=2)
    np.testing.assert_array_equal(steps(q), wanted)


def test_a_level_that_is_never_reached_is_one_behind_the_end() -> None:
    """However long others are searched for beside it."""
    lo, hi = np.array([[0], [0]]), np.array([[3], [100_000]])
    wanted = np.array([[2, 9, 10], [2, 70_001, 200_000]])
    found = first_reached(lambda q: q, lo, hi, wanted)
    assert found.tolist() == [[2, 4, 4], [2, 70_001, 100_001]]
