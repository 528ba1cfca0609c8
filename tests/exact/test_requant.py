"""Requantizers equal the step function they stand for at every integer, and are found where one would expect them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps, assemble, steps_by_exhaustion
from flowc.model.dtypes import IntType
from flowc.units.activation import Requant
from flowc.units.base import Array
from tests.exact.analysis import last_activation
from tests.exact.test_certificate import layer


def domain(steps: Steps) -> Array:
    """Every integer of every set, (sets, width)."""
    width = int((steps.hi - steps.lo).max()) + 1
    return np.minimum(steps.lo[:, None] + np.arange(width), steps.hi[:, None])


def by_hand(requant: Requant, q: Array) -> Array:
    """The definition in Python integers, (sets, n)."""
    result = np.empty(q.shape, np.int64)
    for row in range(q.shape[0]):
        pick = [int(a[row % len(a)]) for a in (requant.mult, requant.add)]
        for column, value in enumerate(q[row].tolist()):
            wide = value * pick[0] + pick[1]
            level, rest = divmod(wide, 2**requant.shift)
            if requant.half_even and requant.shift:
                half = 2 ** (requant.shift - 1)
                level += rest > half or (rest == half and level % 2 == 1)
            if requant.late is not None and requant.lo < level <= requant.hi:
                late = int(requant.late[row % len(requant.late), level - requant.lo - 1])
                level -= rest < late * abs(pick[0])
            result[row, column] = min(max(level, requant.lo), requant.hi)
    return result


def equal_everywhere(requant: Requant, steps: Steps) -> None:
    q = domain(steps)
    for start in range(0, q.shape[1], 1 << 16):
        part = q[:, start : start + (1 << 16)]
        np.testing.assert_array_equal(requant.apply(part.T).T, steps(part))


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


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 12), st.integers(0, 3))
def test_what_is_found_is_equal(seed: int, sets: int, levels: int, jitter: int) -> None:
    """Thresholds on a line, moved by a few integers: whatever comes out, it is equal; unmoved ones are always found."""
    rng = np.random.default_rng(seed)
    gap = rng.uniform(1.5, 30, sets)
    lo, hi = np.full(sets, -200), np.full(sets, 200)
    events = []
    for row in range(sets):
        at = np.sort(
            np.ceil(rng.uniform(-60, 20) + gap[row] * np.arange(levels)).astype(int)
            + rng.integers(-jitter, jitter + 1, levels)
        )
        at = at[(at > -200) & (at <= 200)]
        events.append((at, np.ones(len(at), np.int64)))
    steps = assemble(lo, hi, np.full(sets, -2), events, 1)
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
