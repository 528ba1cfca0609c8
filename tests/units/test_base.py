"""What all units share: frames and divisors, against their definitions."""

from __future__ import annotations

import pytest

from flowc.model.dtypes import UInt
from flowc.units import Frame
from flowc.units.base import divisors


@pytest.mark.parametrize("number", [1, 2, 7, 12, 16, 36, 97, 360])
def test_divisors(number: int) -> None:
    """Ascending, and each once: of a square, the root too."""
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]


def test_frames() -> None:
    frame = Frame(3, 5, 7, UInt(4))
    assert (frame.elements, frame.pixels, frame.shape) == (105, 15, (3, 5, 7))
