"""What all units share: frames and divisors, against their definitions."""

from __future__ import annotations

import pytest

from flowc.model.dtypes import UInt
from flowc.units import Frame, Window
from flowc.units.base import divisors


@pytest.mark.parametrize("number", [1, 2, 7, 12, 16, 36, 97, 360])
def test_divisors(number: int) -> None:
    """Ascending, and each once: of a square, the root too."""
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]


def test_frames() -> None:
    frame = Frame(3, 5, 7, UInt(4))
    assert (frame.elements, frame.pixels, frame.shape) == (105, 15, (3, 5, 7))


def test_a_copy_has_the_fields_that_are_given_and_no_others() -> None:
    window = Window(name="w", frame=Frame(6, 7, 12, UInt(4)), kernel=(3, 2), block=4, simd=2)
    wider = window.with_(simd=4, name="v")
    assert (wider.simd, wider.name, wider.frame, wider.block) == (4, "v", window.frame, 4)
    assert (window.simd, window.name) == (2, "w")
    with pytest.raises(TypeError, match=r"^Window has no lanes, pe$"):
        window.with_(pe=2, simd=2, lanes=3)
