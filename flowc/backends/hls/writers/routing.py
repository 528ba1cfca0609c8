"""Units that move elements without changing them."""

from __future__ import annotations

from math import gcd

from flowc.backends.hls.layer import Layer
from flowc.units import Fork, WidthConverter

__all__ = ["write_fork", "write_width_converter"]


def write_fork(unit: Fork) -> Layer:
    """C++ of a fork."""
    return Layer(unit, "fork.cpp.j2", ("step.hpp",), numbers=(("BEATS", unit.cycles, "per frame"),))


def write_width_converter(unit: WidthConverter) -> Layer:
    """C++ of a width converter."""
    bits = unit.frame.dtype.bits
    if unit.wide_in % unit.wide_out == 0:
        function = "narrow"
    elif unit.wide_out % unit.wide_in == 0:
        function = "widen"
    else:
        function = "convert"
    return Layer(
        unit,
        "width_converter.cpp.j2",
        ("width_converter.hpp",),
        numbers=(
            ("BEATS_IN", unit.frame.elements // unit.wide_in, f"of {unit.wide_in} elements"),
            ("BEATS_OUT", unit.frame.elements // unit.wide_out, f"of {unit.wide_out} elements"),
            ("UNIT", gcd(unit.wide_in, unit.wide_out) * bits, "bits that divide both widths"),
        ),
        values={"function": function},
    )
