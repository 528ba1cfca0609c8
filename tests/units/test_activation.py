"""Integer activations against their definition in Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.units import Activation, Requant, Table, Thresholds
from tests.units.operators import Array

DTYPES = (np.int8, np.int32, np.int64, np.float32, np.float64)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4), st.integers(0, 9), st.sampled_from(DTYPES), st.sampled_from([1, 2, None]), st.integers(0, 9999)
)
def test_thresholds_count_what_is_reached(channels: int, levels: int, dtype: type, step: int | None, seed: int) -> None:
    """Greater or equal, never greater; equal thresholds count twice; steps of one size or of their own."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.integers(-9, 9, (channels, levels)), axis=1)
    base = rng.integers(-5, 5, channels)
    steps = rng.integers(-1, 2, (channels, levels)) if step is None else np.full((1, 1), step)
    activation = Thresholds(dtype=SInt(8), values=values, base=base, step=steps)
    acc = rng.integers(-10, 11, (3, 2, 2, channels))
    found = activation.apply(acc.astype(dtype))
    full = np.broadcast_to(steps, values.shape)
    for index in np.ndindex(*acc.shape):
        c = index[-1]
        wanted = base[c] + sum(int(full[c, k]) for k in range(levels) if int(acc[index]) >= int(values[c, k]))
        assert found[index] == wanted
    assert activation.levels == levels
    assert steps.size == 1 or activation.uniform_step is None


def test_many_thresholds_do_not_overflow_their_count() -> None:
    values = np.arange(300)[None]
    activation = Thresholds(dtype=UInt(9), values=values, base=np.zeros(1, np.int64), step=np.ones((1, 1), np.int64))
    assert activation.apply(np.array([[-1.0], [126], [127], [128], [255], [500]], np.float32))[:, 0].tolist() == [
        0,
        127,
        128,
        129,
        256,
        300,
    ]


def test_thresholds_beyond_what_float32_holds() -> None:
    """2^24 and 2^24 + 1 are one float32: the comparison must not be made there."""
    values = np.array([[(1 << 24) + 1]])
    activation = Thresholds(dtype=UInt(1), values=values, base=np.zeros(1, np.int64), step=np.ones((1, 1), np.int64))
    acc = np.array([[1 << 24], [(1 << 24) + 1]])
    assert activation.apply(acc)[:, 0].tolist() == [0, 1]
    assert activation.apply(acc.astype(np.float64))[:, 0].tolist() == [0, 1]
    assert activation.apply(acc.astype(np.float32))[:1, 0].tolist() == [0]


def test_bipolar_thresholds() -> None:
    activation = Thresholds(dtype=BIPOLAR, values=np.array([[0], [3]]), base=np.full(2, -1), step=np.full((1, 1), 2))
    assert activation.apply(np.array([[-1, 2], [0, 3]])).tolist() == [[-1, -1], [1, 1]]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.booleans(), st.integers(0, 9999))
def test_searches_find_what_comparisons_count(sets: int, levels: int, stepped: bool, seed: int) -> None:
    """Walks the keys as the hardware does; thresholds coincide, rise, fall, and are never reached."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.integers(-20, 20, (sets, levels)), axis=1)
    base = rng.integers(-3, 3, sets)
    step = rng.integers(-2, 3, (sets, levels)) if stepped else np.full((1, 1), 2)
    activation = Thresholds(dtype=SInt(8), values=values, base=base, step=step)
    search = activation.search
    assert search.count < 1 << search.steps <= 2 * levels
    acc = np.arange(-25, 25)
    for c in range(sets):
        path = np.zeros(len(acc), np.int64)
        for k in range(search.steps):
            keys = search.at(k)
            assert keys.shape == (sets, 1 << k)
            path = 2 * path + (acc >= keys[c, path])
        found = base[c] + (activation.uniform_step or 0) * path if search.results is None else search.results[c, path]
        right = activation.apply(np.repeat(acc[:, None], sets, axis=1))[:, c]
        np.testing.assert_array_equal(found, right)
        assert path.max() <= search.count


def test_many_levels_are_searched() -> None:
    """A function of 200 breakpoints that rises and falls: eight comparisons instead of 200; of two levels, comparisons stay."""
    acc = SInt(18)
    values = np.arange(200)[None] * 500
    step = np.where(np.arange(200) % 5 == 0, -1, 1)[None]
    many = Thresholds(dtype=SInt(8), values=values, base=np.zeros(1, np.int64), step=step)
    assert many.searched(1, 64, acc)
    searched = many.resources(1, 64, acc)
    compared = Thresholds(dtype=SInt(8), values=values, base=many.base, step=step, style="compare").resources(
        1, 64, acc
    )
    assert (searched.lut or 0) < (compared.lut or 0) / 10
    few = Thresholds(dtype=UInt(1), values=values[:, :1], base=many.base, step=np.ones((1, 1), np.int64))
    assert not few.searched(1, 64, acc)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(0, 12),
    st.booleans(),
    st.booleans(),
    st.sampled_from(DTYPES[1:]),
    st.integers(0, 9999),
)
def test_requantizers(channels: int, shift: int, half_even: bool, late: bool, dtype: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mult = rng.integers(-(2**shift) - 1, 2 ** (shift + 1) + 1, channels if seed % 2 else 1)
    add = rng.integers(-(2 ** (shift + 3)), 2 ** (shift + 3), channels)
    lo, hi = -5, 6
    table = rng.integers(0, 4, (channels, hi - lo)) if late and not half_even else None
    activation = Requant(dtype=SInt(4), mult=mult, add=add, shift=shift, lo=lo, hi=hi, half_even=half_even, late=table)
    acc = rng.integers(-40, 40, (20, channels))
    found = activation.apply(acc.astype(dtype))
    for row, c in np.ndindex(*acc.shape):
        m = int(mult[c % len(mult)])
        wide = int(acc[row, c]) * m + int(add[c])
        if half_even:
            # Python rounds halves to even, and fractions of powers of two are exact.
            wanted = round(wide / 2**shift)
        else:
            wanted, rest = divmod(wide, 2**shift)
            if table is not None and lo < wanted <= hi and rest < int(table[c, wanted - lo - 1]) * abs(m):
                wanted -= 1
        assert found[row, c] == min(max(wanted, lo), hi)
    assert activation.channels == channels


def test_requantizers_of_wide_accumulators() -> None:
    activation = Requant(dtype=UInt(8), mult=np.array([(1 << 20) + 1]), add=np.array([12345]), shift=44, lo=0, hi=255)
    acc = np.array([[(1 << 31) - 1], [1 << 30]])
    assert activation.apply(acc)[:, 0].tolist() == [(int(a) * ((1 << 20) + 1) + 12345) >> 44 for a in acc[:, 0]]


@pytest.mark.parametrize("shared", [False, True])
def test_tables(shared: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(-8, 8, (1 if shared else 3, 11))
    activation = Table(dtype=SInt(4), lo=-5, values=values)
    acc = rng.integers(-5, 6, (4, 2, 2, 3))
    found = activation.apply(acc.astype(np.float32))
    for index in np.ndindex(*acc.shape):
        assert found[index] == values[0 if shared else index[-1], acc[index] + 5]


def same_results(activations: list[Activation], acc: Array) -> None:
    first, *others = (a.apply(acc) for a in activations)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_one_function_in_three_forms() -> None:
    acc = np.arange(-32, 32)[:, None]
    level = np.clip((acc * 3 + 4) >> 3, -8, 7)
    at = np.array([[acc[(level >= k)[:, 0]].min() for k in range(-7, 8)]])
    same_results(
        [
            Requant(dtype=SInt(4), mult=np.array([3]), add=np.array([4]), shift=3, lo=-8, hi=7),
            Table(dtype=SInt(4), lo=-32, values=level.T),
            Thresholds(dtype=SInt(4), values=at, base=np.array([-8]), step=np.ones((1, 1), np.int64)),
        ],
        acc,
    )


def test_results_beyond_what_float32_holds() -> None:
    """An argmax compares keys as wide as its accumulators times a factor: neighbours must stay apart."""
    activation = Requant(
        dtype=SInt(40), mult=np.array([1 << 14]), add=np.array([1, 2]), shift=0, lo=-(1 << 38), hi=1 << 38
    )
    acc = np.array([[1 << 20, 1 << 20]], np.float32)
    assert activation.apply(acc).tolist() == [[(1 << 34) + 1, (1 << 34) + 2]]


def test_more_than_32767_thresholds() -> None:
    values = np.arange(40000)[None]
    activation = Thresholds(dtype=UInt(16), values=values, base=np.zeros(1, np.int64), step=np.ones((1, 1), np.int64))
    assert activation.apply(np.array([[39999.0], [35000.0]]))[:, 0].tolist() == [40000, 35001]


def test_what_one_loop_cannot_compare_is_searched() -> None:
    values = np.array([[-40_000, 0, 1, 2, 3, 4, 40_000]])
    step = np.ones((1, 1), np.int64)
    shared = Thresholds(dtype=UInt(3), values=values, base=np.zeros(1, np.int64), step=step)
    assert shared.comparable(585, 1024)
    assert not shared.comparable(586, 1024), "4,102 comparisons"
    assert shared.searched(1024, 1024, SInt(18))
    own = Thresholds(dtype=UInt(8), values=np.tile(np.arange(129) * 400, (4, 1)), base=np.zeros(4, np.int64), step=step)
    assert own.comparable(4, 4), "each lane has its own, wired in"
    assert not own.comparable(2, 4), "a word of 129 numbers of 32 bits"
    assert own.select(np.zeros(4, np.int64)).searched(2, 4, SInt(18))


@pytest.mark.parametrize(("domain", "text"), [
    ([[-4, 4]], None), ([[4, 4]], None), ([[4, 3]], "the domain holds no argument"), ([[-4, 4], [0, 1], [2, 1]], "the domain holds no argument"),
])  # fmt: skip
def test_domains_hold_an_argument(domain: list[list[int]], text: str | None) -> None:
    """What is read from an edited file: a probe would draw from an empty range."""
    activation = Table(dtype=UInt(4), domain=np.array(domain, np.int64), lo=0, values=np.zeros((1, 2), np.int64))
    assert activation.unsound(3) == ([] if text is None else [text])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_many_thresholds_are_searched(channels: int, signed: bool) -> None:
    """Beyond a few hundred the definition, a comparison with each, is too slow: the search gives the same."""
    rng = np.random.default_rng(channels)
    values = np.sort(rng.integers(-500, 500, (channels, 600)), axis=1)
    step = rng.choice([-1, 1], values.shape) if signed else np.ones((1, 1), np.int64)
    base = rng.integers(-3, 4, channels)
    activation = Thresholds(dtype=SInt(12), values=values, base=base, step=step)
    acc = rng.integers(-600, 600, (2, 5, 4, 3))
    wanted = base + (step * (acc[..., None] >= values)).sum(axis=-1)
    for kind in (np.int64, np.float32):
        np.testing.assert_array_equal(activation.apply(acc.astype(kind)), wanted)
