"""The integer type of a model input that the model itself leaves float, as ``--input-type`` states it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

from flowc.errors import UsageError, shown

__all__ = ["InputType"]

_MOST_BITS = 16
_LEAST_SCALE = 2.0**-126  # the least normal float32
_GREATEST_SCALE = (2.0 - 2.0**-23) * 2.0**127  # the greatest float32
_FORM = "TYPE[:SCALE[:ZERO_POINT]]"
_EXAMPLES = "for example uint8:0.00392156886, int8:0.5:3 or bipolar"


@dataclass(frozen=True)
class InputType:
    """Integers q that stand for the real input values ``(q - zero_point) * scale``.

    Attributes:
        bits: width of q, 1 to 16.
        signed: whether q is signed. One signed bit means the two values -1 and +1 ("bipolar").
        scale: step between neighbouring values; above 0, and a normal float32.
        zero_point: the q that stands for 0; one of q's values.

    Raises:
        UsageError: a figure is outside of these bounds.
    """

    bits: int
    signed: bool
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not 1 <= self.bits <= _MOST_BITS:
            raise UsageError(
                f"an input type has 1 to {_MOST_BITS} bits, not {self.bits}",
                remedy="For instance uint8, int8 or bipolar",
            )
        if not _LEAST_SCALE <= self.scale <= _GREATEST_SCALE:
            raise UsageError(
                f"the scale of an input type must be a number above 0 within float32, not {self.scale!r}",
                remedy="Give the value of one integer step, such as 1/255",
            )
        if self.bipolar and self.zero_point != 0:
            raise UsageError(
                f"the zero point of a bipolar input must be 0, not {self.zero_point}", remedy="Leave the zero point out"
            )
        if not self.lo <= self.zero_point <= self.hi:
            raise UsageError(
                f"the zero point of {self.name} must lie in {self.lo}..{self.hi}, not {self.zero_point}",
                remedy="Give an integer that the type holds, or leave the zero point out",
            )

    @property
    def bipolar(self) -> bool:
        """Whether the values are -1 and +1."""
        return self.bits == 1 and self.signed

    @property
    def lo(self) -> int:
        """The least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """The largest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - self.signed)) - 1

    @property
    def name(self) -> str:
        """``uint8``, ``int8``, ``bipolar``, ..."""
        return "bipolar" if self.bipolar else f"{'' if self.signed else 'u'}int{self.bits}"

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return f"{self.name}:{self.scale!r}:{self.zero_point}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``TYPE[:SCALE[:ZERO_POINT]]``; the scale defaults to 1, the zero point to 0.

        Raises:
            UsageError: saying which of the three parts is wrong, and why.
        """
        name, *rest = text.strip().split(":")
        where = f"input type '{shown(text)}'"
        if len(rest) > 2:
            raise UsageError(f"{where} has {len(rest) + 1} parts", remedy=f"Write it as {_FORM}, {_EXAMPLES}")
        bits, signed = _type_name(name.strip().lower(), where)
        scale = _number(rest[0], where) if rest else 1.0
        zero_point = _integer(rest[1], where) if len(rest) == 2 else 0
        return cls(bits, signed, scale, zero_point)


def _type_name(name: str, where: str) -> tuple[int, bool]:
    if name == "bipolar":
        return 1, True
    match = re.fullmatch(r"(u?)int([1-9][0-9]?)", name, re.ASCII)
    if match is None or int(match[2]) > _MOST_BITS:
        raise UsageError(
            f"{where}: the type must be uint1 to uint{_MOST_BITS}, int2 to int{_MOST_BITS} or bipolar",
            remedy=f"Write {_EXAMPLES}",
        )
    bits, signed = int(match[2]), not match[1]
    if bits == 1 and signed:
        raise UsageError(
            f"{where}: there is no int1", remedy="Write bipolar for the values -1 and +1, uint1 for 0 and 1"
        )
    return bits, signed


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(
            f"{where}: the scale '{shown(text)}' is not a number", remedy=f"Write it as {_FORM}, {_EXAMPLES}"
        ) from None
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"{where}: the scale must be a finite number above 0, not '{shown(text)}'",
            remedy=f"Write it as {_FORM}, {_EXAMPLES}",
        )
    return value


def _integer(text: str, where: str) -> int:
    if re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", text, re.ASCII) is None:
        raise UsageError(
            f"{where}: the zero point '{shown(text)}' is not an integer", remedy=f"Write it as {_FORM}, {_EXAMPLES}"
        )
    return int(text)
