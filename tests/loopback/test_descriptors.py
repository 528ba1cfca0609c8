"""Descriptors survive encoding, name what does not fit, and their fields do not overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.loopback.descriptors import DESCRIPTORS, WORDS, Compute, Descriptor, LoadActs, bits_of, decode, encode


@st.composite
def descriptors(draw: st.DrawFn) -> Descriptor:
    kind = draw(st.sampled_from(DESCRIPTORS))
    values = {}
    for name, place in bits_of(kind).items():
        least = -(1 << (place.bits - 1)) if place.signed else 0
        values[name] = draw(st.integers(least, least + (1 << place.bits) - 1))
    return kind(**values)


@given(st.lists(descriptors(), max_size=5))
def test_decoding_is_the_inverse_of_encoding(table: list[Descriptor]) -> None:
    words = encode(table)
    assert words.shape == (len(table), WORDS)
    assert words.dtype == np.uint32
    assert decode(words) == table


@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_fields_lie_apart(kind: type[Descriptor]) -> None:
    taken: set[int] = set(range(16))
    for place in bits_of(kind).values():
        mine = {32 * place.word + place.at + i for i in range(place.bits)}
        assert not mine & taken
        assert max(mine) < 32 * WORDS
        taken |= mine
    assert len({k.op for k in DESCRIPTORS}) == len(DESCRIPTORS)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(OverflowError, match=r"LoadActs\.rows = 65536 does not fit 16 bits \(layer 3\)"):
        encode([LoadActs(layer=3, rows=1 << 16)])
    with pytest.raises(OverflowError, match=r"Compute\.y0"):
        encode([Compute(y0=1 << 15)])


def test_strange_tables_are_refused() -> None:
    table = encode([LoadActs(rows=1)])
    table[0, 15] = 1
    with pytest.raises(ValueError, match="no field names"):
        decode(table)
    table[0, 0] = 99
    with pytest.raises(ValueError, match="operation 99"):
        decode(table)
