"""Words, early masks and searches equal the activations they were fitted to, on every argument."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.loopback.formats import unpack_word
from flowc.loopback.words import EARLY, SEARCH, WORD, Post, fit, identity
from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.units import Activation, Requant, Table, Thresholds
from flowc.units.base import Array


def applied(post: Post, acc: Array) -> Array:
    """What the engine makes of stored accumulators (n, channels): one number at a time, as docs/loopback.md says."""
    out = np.empty(acc.shape, np.int64)
    for c in range(acc.shape[1]):
        mult, add, shift = (int(a[0]) for a in unpack_word(post.words[c : c + 1]))
        for i, a in enumerate(acc[:, c].tolist()):
            if post.mode == SEARCH:
                entries = [int(t) for t in post.tables[c]]
                at = [(e & 0xFFFFFFFF) - (1 << 32 if e & 0x80000000 else 0) for e in entries]
                found = max(k for k in range(len(at)) if k == 0 or a >= at[k])
                out[i, c] = entries[found] >> 32
                continue
            wide = a * mult + add
            level = wide >> shift
            if post.mode == EARLY and post.lo < level <= post.hi:
                index = level - post.lo
                early = int(post.tables[c][index // 32]) >> (2 * (index % 32)) & 3
                level -= wide - (level << shift) < early * abs(mult)
            out[i, c] = min(max(level, post.lo), post.hi)
    return out


def check(activation: Activation, lo: int, hi: int, channels: int, mode: int | None = None) -> None:
    found = fit(activation, np.full(channels, lo), np.full(channels, hi))
    assert found is not None
    assert mode is None or found.mode == mode
    constant = np.arange(channels) * 7 - 3
    offset = found.lo - 1
    post = found.stored(constant, offset)
    assert post is not None
    acc = np.arange(lo, hi + 1)[:, None] + np.zeros(channels, np.int64)
    np.testing.assert_array_equal(applied(post, acc - constant) + offset, activation.apply(acc))


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1 << 30))
def test_thresholds(bits: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(rng.integers(-60, 60, (channels, (1 << bits) - 1)), axis=1)
    check(
        Thresholds(dtype=UInt(bits), values=values, base=np.zeros(channels, np.int64), step=np.ones((1, 1), np.int64)),
        -50,
        50,
        channels,
    )


@settings(max_examples=40)
@given(st.integers(4, 8), st.integers(10, 17), st.booleans(), st.integers(0, 1 << 30))
def test_requantizers(bits: int, shift: int, even: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mult = rng.integers(1, 1 << max(3, shift - 3), 2) * rng.choice([-1, 1], 2)
    add = rng.integers(-(1 << shift), 1 << shift, 2)
    kind = SInt(bits)
    check(Requant(dtype=kind, mult=mult, add=add, shift=shift, lo=kind.lo, hi=kind.hi, half_even=even), -300, 400, 2)


def test_signs() -> None:
    for step in (2, -2):
        values = np.array([[5], [-100], [100]])
        base = np.full(3, -1 if step == 2 else 1)
        check(Thresholds(dtype=BIPOLAR, values=values, base=base, step=np.array([[step]])), -20, 20, 3, WORD)


def test_levels_that_begin_unevenly_take_a_mask() -> None:
    levels = np.arange(1, 64) * 9 + np.random.default_rng(0).integers(0, 2, 63)
    check(
        Thresholds(dtype=UInt(6), values=levels[None], base=np.zeros(1, np.int64), step=np.ones((1, 1), np.int64)),
        0,
        600,
        1,
        EARLY,
    )


def test_functions_that_rise_and_fall_take_a_search() -> None:
    values = np.array([[0, 3, 9, 200, 200, 1, 0, 5]])
    check(Table(dtype=UInt(8), lo=-4, values=values), -4, 3, 1, SEARCH)
    waves = np.arange(300)[None] // 2 % 2
    assert (
        fit(Table(dtype=UInt(1), lo=0, values=np.concatenate([waves, waves], axis=1)), np.zeros(1), np.full(1, 599))
        is None
    )


def test_words_that_outgrow_their_fields() -> None:
    assert identity(0, 255).stored(np.array([1 << 39]), 0) is None
    good = identity(0, 255).stored(np.array([1 << 38]), 0)
    assert good is not None
