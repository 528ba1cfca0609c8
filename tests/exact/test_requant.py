"""Requantizers equal the step function they stand for at every integer, and are found where one would expect them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact.choose import as_table, as_thresholds
from flowc.exact.lines import Lines
from flowc.exact.requant import DSP, Bounds, Words, find_requant, find_words
from flowc.exact.steps import Steps, assemble, steps_by_bisection, steps_by_exhaustion, steps_of_activation
from flowc.model.dtypes import IntType, SInt
from flowc.units.activation import Requant
from flowc.units.base import Array
from tests.exact.analysis import last_activation
from tests.exact.test_certificate import layer


def domain(steps: Steps) -> Array:
    """Every integer of every set, (sets, width)."""
    width = int((steps.hi - steps.lo).max()) + 1
    return np.minimum(steps.lo[:, None] + np.arange(width), steps.hi[:, None])


def by_hand(form: Requant, q: Array) -> Array:
    """The definition in Python integers, (sets, n)."""
    result = np.empty(q.shape, np.int64)
    for row in range(q.shape[0]):
        pick = [int(a[row % len(a)]) for a in (form.mult, form.add)]
        for column, value in enumerate(q[row].tolist()):
            wide = value * pick[0] + pick[1]
            level, rest = divmod(wide, 2**form.shift)
            if form.half_even and form.shift:
                half = 2 ** (form.shift - 1)
                level += rest > half or (rest == half and level % 2 == 1)
            if form.late is not None and form.lo < level <= form.hi:
                late = int(form.late[row % len(form.late), level - form.lo - 1])
                level -= rest < late * abs(pick[0])
            result[row, column] = min(max(level, form.lo), form.hi)
    return result


def equal_everywhere(form: Requant, steps: Steps) -> None:
    q = domain(steps)
    for start in range(0, q.shape[1], 1 << 16):
        part = q[:, start : start + (1 << 16)]
        np.testing.assert_array_equal(form.apply(part.T).T, steps(part))


def from_function(function: Any, lo: Array, hi: Array) -> Steps:
    return steps_by_exhaustion(lambda q, rows: function(q, rows), lo, hi, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(0, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_every_multiply_add_shift_is_found_again(sets: int, shift: int, seed: int, falling: bool) -> None:
    rng = np.random.default_rng(seed)
    mult = rng.integers(1, 2 ** (shift + 1), sets) * (-1 if falling else 1)
    add = rng.integers(-(2 ** (shift + 4)), 2 ** (shift + 4), sets)
    lo = rng.integers(-300, 0, sets)
    hi = lo + rng.integers(1, 600, sets)

    def function(q: Array, rows: slice) -> Array:
        return np.clip((q * mult[rows, None] + add[rows, None]) >> shift, -7, 8)

    steps = from_function(function, lo, hi)
    found = find_requant(steps, IntType.for_range(-8, 8))
    assert found is not None
    assert found.shift <= shift or found.half_even
    equal_everywhere(found, steps)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), st.integers(1, 7), st.integers(-12, 0), st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_every_shift_that_rounds_to_even_is_found_again(
    sets: int, shift: int, least: int, more: int, seed: int
) -> None:
    """Whatever is added, wherever the ranges begin and end: what is refused unseen is no such shift."""
    rng = np.random.default_rng(seed)
    add = rng.integers(-(20 << shift), 20 << shift, sets)
    lo = (least << shift) - add - rng.integers(1, 100, sets)
    hi = ((least + more) << shift) - add + rng.integers(1, 100, sets)
    plain = Requant(
        dtype=SInt(8), mult=np.ones(1, np.int64), add=add, shift=shift, lo=least, hi=least + more, half_even=True
    )
    steps = from_function(lambda q, rows: plain.select(np.arange(sets)[rows]).apply(q.T).T.astype(np.int64), lo, hi)
    found = find_requant(steps, SInt(8))
    assert found is not None
    assert found.half_even
    assert found.shift == shift
    equal_everywhere(found, steps)


@pytest.mark.parametrize("shift", [1, 2, 5, 9])
def test_shifts_that_round_to_even(shift: int) -> None:
    """Power-of-two scales: exact ties go to the even neighbour, which no flooring shift does."""
    bias = np.array([0, 3, -(2**shift), 2 ** (shift - 1)])
    lo, hi = np.full(4, -20 << shift), np.full(4, 20 << shift)
    steps = from_function(
        lambda q, rows: np.clip(np.rint((q + bias[rows, None]) / 2**shift), -8, 7).astype(np.int64), lo, hi
    )
    found = find_requant(steps, IntType(4, True))
    assert found is not None
    assert found.half_even
    assert found.shift == shift
    equal_everywhere(found, steps)
    np.testing.assert_array_equal(by_hand(found, domain(steps)[:, ::3]), steps(domain(steps)[:, ::3]))


EIGHT_BIT: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": True},
    "per channel": {"per_channel": True, "bias": True},
    "batch norm": {"bn": True, "per_channel": True},
    "signed inputs": {"signed": True, "zero": 2},
    "powers of two": {"sx": 0.25, "sw": 0.125, "bias": True},
}


@pytest.mark.parametrize("name", EIGHT_BIT)
def test_eight_bit_activations_have_one(name: str) -> None:
    """No activation of eight bits should need 255 thresholds per channel; equal on every accumulator value of every channel."""
    options = {"inputs": 20, "outputs": 6, "weight_bits": 6, "input_bits": 8, "output_bits": 8} | EIGHT_BIT[name]
    steps = last_activation(layer(11, **options).model()).steps
    assert steps.at.shape[1] >= 200
    found = find_requant(steps, IntType(8))
    assert found is not None
    assert 0 < int(np.abs(found.mult).max()) < 1 << 28
    equal_everywhere(found, steps)
    rng = np.random.default_rng(0)
    q = np.sort(rng.integers(steps.lo[:, None], steps.hi[:, None] + 1, (len(steps.lo), 300)), axis=1)
    np.testing.assert_array_equal(by_hand(found, q), steps(q))


def moved_line(rng: np.random.Generator, sets: int, levels: int, jitter: int) -> Steps:
    """Thresholds on a line, moved by up to ``jitter`` integers."""
    gap = rng.uniform(1.5, 30, sets)
    events = []
    for row in range(sets):
        at = np.sort(
            np.ceil(rng.uniform(-60, 20) + gap[row] * np.arange(levels)).astype(int)
            + rng.integers(-jitter, jitter + 1, levels)
        )
        at = at[(at > -200) & (at <= 200)]
        events.append((at, np.ones(len(at), np.int64)))
    return assemble(np.full(sets, -200), np.full(sets, 200), np.full(sets, -2), events, 1)


@pytest.mark.parametrize("jitter", [0, 1])
def test_no_shift_that_is_passed_over_would_do(monkeypatch: pytest.MonkeyPatch, jitter: int) -> None:
    rng = np.random.default_rng(jitter)
    lines = [moved_line(rng, sets=4, levels=12, jitter=jitter) for _ in range(12)]
    bounds = [DSP, Bounds(10, 20, 16)]

    def all_found() -> list[Any]:
        of_all = [find_requant(steps, IntType(8, True), bound) for steps in lines for bound in bounds]
        return of_all + [find_words(steps, bound) for steps in lines for bound in bounds]

    found = all_found()
    hopeful = Lines.hopeful
    monkeypatch.setattr(Lines, "hopeful", lambda self, bounds: np.ones_like(hopeful(self, bounds)))
    for one, other in zip(found, all_found(), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal([one.mult, one.add], [other.mult, other.add])
            np.testing.assert_array_equal(one.shift, other.shift)
    assert any(f is not None for f in found)


@pytest.mark.parametrize("sets", [1, 3])
def test_what_nobody_wants_is_not_sought(sets: int) -> None:
    """Below so many bits of multipliers the same is found as ever; from there on nothing, or the same."""
    rng = np.random.default_rng(sets)
    spared = 0
    for trial in range(20):
        steps = moved_line(rng, sets=sets, levels=int(rng.integers(3, 14)), jitter=trial % 3)
        bounds = DSP if trial % 2 else Bounds(10, 20, 16)
        ever = find_requant(steps, IntType(8, True), bounds)
        for worth in (1, 2, 4, 6, 8, 11):
            found = find_requant(steps, IntType(8, True), bounds, worth)
            if found is None:
                assert ever is None or int(np.abs(ever.mult).max()).bit_length() >= worth
                spared += ever is not None
                continue
            assert ever is not None
            for one, other in zip((found.mult, found.add, found.shift), (ever.mult, ever.add, ever.shift), strict=True):
                np.testing.assert_array_equal(one, other)
    assert spared > 7


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 12), st.integers(0, 3))
def test_what_is_found_is_equal(seed: int, sets: int, levels: int, jitter: int) -> None:
    """Whatever comes out is equal; thresholds that were not moved are always found."""
    steps = moved_line(np.random.default_rng(seed), sets, levels, jitter)
    found = find_requant(steps, IntType(8, True))
    if found is not None:
        equal_everywhere(found, steps)
        np.testing.assert_array_equal(by_hand(found, domain(steps)), steps(domain(steps)))
    assert found is not None or jitter


def test_late_levels_are_used_where_no_line_fits() -> None:
    """A threshold one integer off the line: plain requantizers fail, the table of late levels puts it right."""
    at = np.array([10, 20, 31, 40, 50, 60, 70, 80])
    steps = assemble(np.array([0]), np.array([99]), np.array([0]), [(at, np.ones(8, np.int64))], 1)
    found = find_requant(steps, IntType(4))
    assert found is not None
    equal_everywhere(found, steps)


def test_no_requantizer_for_what_rises_and_falls_or_steps_by_two() -> None:
    at, lo, hi = np.array([10, 30]), np.array([0]), np.array([50])
    assert find_requant(assemble(lo, hi, np.array([0]), [(at, np.array([1, -1]))], 1), IntType(4)) is None
    assert find_requant(assemble(lo, hi, np.array([-1]), [(at[:1], np.array([2]))], 2), IntType(1, True, True)) is None


def test_thresholds_at_the_very_ends() -> None:
    """Sets that never move, or that leave their first level at once."""
    lo, hi = np.array([0, 0, 0]), np.array([9, 9, 9])
    ones = np.ones(1, np.int64)
    events = [(np.array([], int), np.array([], int)), (np.array([1]), ones), (np.array([9]), ones)]
    steps = assemble(lo, hi, np.array([0, 0, 0]), events, 1)
    found = find_requant(steps, IntType(4))
    assert found is not None
    equal_everywhere(found, steps)


WORD = Bounds(mult=18, add=40, shift=47)


def by_words(words: Words, q: Array) -> Array:
    """The definition in Python integers, (sets, n)."""
    return np.array(
        [
            [min(max((v * int(m) + int(b)) >> int(s), words.lo), words.hi) for v in row.tolist()]
            for row, m, b, s in zip(q, words.mult, words.add, words.shift, strict=True)
        ]
    )


def within(m: Array, b: Array, bounds: Bounds) -> bool:
    return int(np.abs(m).max()) < 1 << (bounds.mult - 1) and int(np.abs(b).max()) <= 1 << (bounds.add - 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_sets_whose_slopes_lie_far_apart_have_words(seed: int, sets: int, falling: bool) -> None:
    """One shift for all would need wide multipliers; a shift per set does not. Dead channels step at once, or never."""
    rng = np.random.default_rng(seed)
    gap = 2.0 ** rng.uniform(-3, 14, sets)
    lo, hi = np.full(sets, -20_000), np.full(sets, 20_000)
    sign = -1 if falling else 1

    def function(q: Array, rows: slice) -> Array:
        return np.clip(np.floor(sign * (q - 5) / gap[rows, None]), 0, 15).astype(np.int64)

    steps = steps_by_bisection(function, lo, hi, 1)
    words = find_words(steps, WORD)
    assert words is not None
    assert within(words.mult, words.add, WORD)
    q = rng.integers(-20_000, 20_001, (sets, 500))
    edges = np.concatenate([steps.at - 1, steps.at], axis=1)[:, :500]
    q[:, : edges.shape[1]] = np.clip(edges, lo[0], hi[0])
    np.testing.assert_array_equal(words.apply(q.T).T, steps(q))
    np.testing.assert_array_equal(by_words(words, q), steps(q))


def test_bounds_are_kept_or_nothing_is_found() -> None:
    """Thirty levels a third of an integer off a line of slope near 1/1000: the tighter the bound, the fewer forms there are."""
    at = np.floor(np.arange(1, 31) * 1000.37).astype(np.int64)
    steps = assemble(np.array([0]), np.array([40_000]), np.array([0]), [(at, np.ones(30, np.int64))], 1)
    found = find_words(steps, WORD)
    assert found is not None
    assert within(found.mult, found.add, WORD)
    needed, shift = int(found.mult[0]).bit_length() + 1, int(found.shift[0])
    assert find_words(steps, Bounds(needed, 40, shift)) is not None
    assert find_words(steps, Bounds(needed - 1, 40, 47)) is None
    assert find_words(steps, Bounds(18, 40, shift - 1)) is None
    assert find_words(steps, Bounds(needed - 1, 40, 47), early=3) is not None
    narrow = find_requant(steps, IntType(5), Bounds(needed - 1, 40, 47))
    assert narrow is not None
    assert narrow.late is not None
    equal_everywhere(narrow, steps)


def test_multipliers_of_channels_that_saturate_at_once_stay_small() -> None:
    """Nothing bounds the slope of a channel that goes from the least level to the greatest in one step: one near the least is taken."""
    lo, hi = np.array([-500, -500]), np.array([500, 500])
    slow = np.floor(np.arange(1, 16) * 61.7).astype(np.int64) - 460
    steps = assemble(
        lo, hi, np.zeros(2, np.int64), [(np.full(15, 3), np.ones(15, np.int64)), (slow, np.ones(15, np.int64))], 1
    )
    found = find_requant(steps, IntType(4))
    assert found is not None
    equal_everywhere(found, steps)
    assert int(np.abs(found.mult).max()) < 2 * (15 << found.shift)


@pytest.mark.parametrize("style", ["thresholds", "requant", "table"])
def test_steps_of_an_activation_are_those_it_was_made_from(style: str) -> None:
    lo, hi = np.array([-90, -300, 7]), np.array([400, 90, 9])

    def function(q: Array, rows: slice) -> Array:
        return np.clip((q * np.array([3, 7, 1])[rows, None] + 11) >> 6, -4, 9)

    steps = from_function(function, lo, hi)
    dtype = IntType.for_range(*steps.reached)
    form = {"thresholds": as_thresholds, "table": as_table, "requant": find_requant}[style](steps, dtype)
    assert form is not None
    again = steps_of_activation(replace(form, domain=np.stack([lo, hi], axis=1)))
    np.testing.assert_array_equal(again(domain(steps)), steps(domain(steps)))
    for part in ([1], [2, 0]):
        picked = steps_of_activation(replace(form, domain=np.stack([lo, hi], axis=1)).select(np.array(part)))
        np.testing.assert_array_equal(picked(domain(steps)[part]), steps(domain(steps))[part])
    with pytest.raises(ValueError, match="without a domain"):
        steps_of_activation(replace(form, domain=None))


@pytest.mark.parametrize("style", ["thresholds", "requant", "table"])
def test_channels_may_share_a_domain(style: str) -> None:
    lo, hi = np.full(3, -20), np.full(3, 50)

    def function(q: Array, rows: slice) -> Array:
        return np.clip((q * np.array([3, 7, 1])[rows, None] + 11) >> 6, -4, 9)

    steps = from_function(function, lo, hi)
    form = {"thresholds": as_thresholds, "table": as_table, "requant": find_requant}[style](
        steps, IntType.for_range(*steps.reached)
    )
    assert form is not None
    again = steps_of_activation(replace(form, domain=np.array([[-20, 50]])))
    np.testing.assert_array_equal(again(domain(steps)), steps(domain(steps)))
