"""What joins cost as SystemVerilog makes them: the digits of constants, products in slices or in tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.model.dtypes import SInt, UInt
from flowc.units import Requant
from flowc.units.applied import applied
from flowc.units.cost import Resources
from flowc.units.joined import Operand, digits, joined
from flowc.units.requantized import late_levels


@given(st.integers(-(1 << 40), 1 << 40))
def test_digits_add_up_and_no_two_in_a_row_are_not_zero(constant: int) -> None:
    found = digits(constant)
    assert sum(sign << place for place, sign in found) == constant
    places = [place for place, _ in found]
    assert all(b - a > 1 for a, b in pairwise(places))


def operand(*scales: int, offset: int = 0) -> Operand:
    return Operand(UInt(6), np.array(scales), offset)


@pytest.mark.parametrize(("left", "right", "more", "expected"), [
    # Powers of two are wires, 6 bits of each in registers; the sum has 12 bits.
    (operand(1), operand(8), {}, Resources(lut=12, ff=12 + 6 + 6)),
    # 5 = 4 + 1: 4 + 1 bits lie over one another; 7 = 8 - 1: the element negated, then added three places higher. The sign is a bit.
    (operand(5), operand(7), {}, Resources(lut=12 + 5 + 6 + 4, ff=12 + 9 + 9 + 1)),
    (operand(0), operand(1), {}, Resources(lut=12, ff=12 + 6)),
    # Scales of two channels: 5 bits with a sign of each side, and the row of two words; 7 x 5 bits are slices where there are any.
    (operand(5, 9), operand(10, 3), {"rows": 2}, Resources(lut=12 + 2 * 65 + 10 + 2, ff=12 + 2 * 12 + 10 + 2)),
    (operand(5, 9), operand(10, 3), {"rows": 2, "slices": True}, Resources(lut=12 + 10 + 2, ff=12 + 2 * 12 + 10 + 2, dsp=2)),
    # A difference takes a table where the offset's bit is zero: of 7 bits without 3, five.
    (operand(1, offset=3), operand(1), {"op": "mul", "slices": True}, Resources(lut=5, ff=8 + 7 + 12, dsp=1)),
])  # fmt: skip
def test_joins(left: Operand, right: Operand, more: dict[str, Any], expected: Resources) -> None:
    given_ = {"op": "add", "rows": 0, "slices": False} | more
    assert (
        joined(given_["op"], left, right, UInt(12), rows=given_["rows"], lanes=1, slices=given_["slices"]) == expected
    )


@pytest.mark.parametrize("shifts", [True, False])
def test_late_levels_wait_in_tables_or_registers(shifts: bool) -> None:
    """Six bits of the multiplier and its sign, 20 of the rest; three levels for each of two rows: six words of one bit."""
    late = np.array([[0, 1, 1], [1, 0, 1]])
    unit = Requant(dtype=UInt(2), mult=np.array([40, 50]), add=np.array([1, 2]), shift=20, lo=0, hi=3, late=late)
    memory, magnitude, product, compared, address, results = 1, 7, 3.5, 13, 3, 4
    luts = ceil(magnitude + product + compared + address + results)
    own = Resources(lut=memory + luts + address + 3, ff=1 + address + 8 + 10 + 1 + 3 + address + 4)
    waits = Resources(lut=7 + 20) if shifts else Resources(ff=6 * 7 + 4 * 20)
    assert late_levels(unit, 1, 2, shifts=shifts) == own + waits
    known = applied(unit, 1, 2, SInt(12), slices=shifts)
    plain = applied(replace(unit, late=None), 1, 2, SInt(12), slices=shifts)
    assert known == plain + own + waits
