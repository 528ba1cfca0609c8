"""What --input-type accepts, and what it says of the rest."""

from __future__ import annotations

import pytest

from flowc.errors import UsageError
from flowc.model.input_type import InputType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uint8", InputType(8, False)),
        ("uint8:0.00392156886", InputType(8, False, 0.00392156886)),
        ("int8:0.5:3", InputType(8, True, 0.5, 3)),
        ("UINT4:1e-3:-0", InputType(4, False, 1e-3, 0)),
        ("int16:2:-32768", InputType(16, True, 2.0, -32768)),
        ("uint1", InputType(1, False)),
        ("bipolar", InputType(1, True)),
        ("bipolar:0.25", InputType(1, True, 0.25)),
    ],
)
def test_accepted_forms(text: str, expected: InputType) -> None:
    parsed = InputType.parse(text)
    assert parsed == expected
    assert InputType.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [("uint8", 0, 255), ("int8", -128, 127), ("uint1", 0, 1), ("bipolar", -1, 1), ("int2", -2, 1)],
)
def test_ranges(text: str, lo: int, hi: int) -> None:
    parsed = InputType.parse(text)
    assert (parsed.lo, parsed.hi) == (lo, hi)
    assert parsed.name == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the type must be uint1 to uint16, int2 to int16 or bipolar"),
        ("float32", "the type must be"),
        ("uint0", "the type must be"),
        ("uint17", "the type must be"),
        ("uint٨", "the type must be"),
        ("int1", "there is no int1"),
        ("uint8:", "the scale '' is not a number"),
        ("uint8:abc", "the scale 'abc' is not a number"),
        ("uint8:0", "the scale must be a finite number above 0, not '0'"),
        ("uint8:-1", "the scale must be a finite number above 0, not '-1'"),
        ("uint8:nan", "the scale must be a finite number above 0, not 'nan'"),
        ("uint8:inf", "the scale must be a finite number above 0, not 'inf'"),
        ("uint8:1e-60", "within float32"),
        ("uint8:1e60", "within float32"),
        ("uint8:1:256", "the zero point of uint8 must lie in 0..255, not 256"),
        ("int4:1:-9", "the zero point of int4 must lie in -8..7, not -9"),
        ("uint8:1:0.5", "the zero point '0.5' is not an integer"),
        ("bipolar:1:1", "the zero point of a bipolar input must be 0, not 1"),
        ("uint8:1:0:0", "has 4 parts. Write it as TYPE[:SCALE[:ZERO_POINT]]"),
    ],
)
def test_refused_forms(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        InputType.parse(text)
    assert message in str(caught.value)
