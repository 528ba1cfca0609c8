"""Integer types against the integers that they name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt, compact


@given(st.integers(1, 64), st.booleans())
def test_bounds(bits: int, signed: bool) -> None:
    kind = IntType(bits, signed)
    assert kind.hi - kind.lo == 2**bits - 1
    assert kind.lo == (-(2 ** (bits - 1)) if signed else 0)
    info = np.iinfo(kind.numpy)
    assert info.min <= kind.lo
    assert kind.hi <= info.max
    assert IntType.parse(str(kind)) == kind


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62))
def test_for_range_is_the_narrowest(lo: int, span: int) -> None:
    hi = lo + span
    kind = IntType.for_range(lo, hi)
    assert kind.holds(lo, hi)
    assert kind.signed == (lo < 0)
    if kind.bits > 1:
        assert not IntType(kind.bits - 1, kind.signed).holds(lo, hi)


def test_names() -> None:
    assert [str(t) for t in (UInt(4), SInt(8), BIPOLAR)] == ["uint4", "int8", "bipolar"]
    assert IntType.parse("bipolar") == BIPOLAR
    for text in ("", "int", "uint", "float8", "int8x", " int8", "uint-3"):
        with pytest.raises(ValueError, match="not an integer type"):
            IntType.parse(text)


def test_bipolar_holds_its_two_values_only() -> None:
    assert (BIPOLAR.lo, BIPOLAR.hi, BIPOLAR.bits) == (-1, 1, 1)
    assert BIPOLAR.holds(-1, 1)
    assert not BIPOLAR.holds(0, 1)
    assert BIPOLAR.numpy == np.int8


@pytest.mark.parametrize("arguments", [(0,), (65,), (2, True, True), (1, False, True)])
def test_types_that_do_not_exist(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no integer type"):
        IntType(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty range"):
        IntType.for_range(3, 2)


@pytest.mark.parametrize(
    ("extreme", "dtype"),
    [
        (0, np.int8),
        (127, np.int8),
        (-127, np.int8),
        (-128, np.int16),
        (128, np.int16),
        (-32768, np.int32),
        (1 << 31, np.int64),
    ],
)
def test_compact_integers_have_negatives_of_their_dtype(extreme: int, dtype: type[np.generic]) -> None:
    values = np.array([[1, extreme]], np.float64)
    found = compact(values)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.astype(float), values)
    np.testing.assert_array_equal((-found).astype(float), -values)
    np.testing.assert_array_equal(np.abs(found).astype(float), np.abs(values))
    assert compact(found) is found
