"""Hardware units, one room each. ``UNITS`` maps a unit's ``kind`` to its class."""

from __future__ import annotations

from flowc.units.activation import Activation, Requant, Table
from flowc.units.argmax import ArgMax
from flowc.units.base import Array, Frame, OneToOne, Unit, divisors
from flowc.units.elementwise import Activate, Join
from flowc.units.gather import Gather
from flowc.units.lookup import Lookup
from flowc.units.mvtu import Mvtu
from flowc.units.permute import Permute
from flowc.units.pool import GlobalSum, Pool
from flowc.units.port import InputPort, OutputPort
from flowc.units.routing import Concat, Fork, PixelPad, Split, Upsample, WidthConverter
from flowc.units.thresholds import Thresholds
from flowc.units.vvtu import Vvtu
from flowc.units.window import Pad, Window

__all__ = [
    "ACTIVATIONS",
    "UNITS",
    "Activate",
    "Activation",
    "ArgMax",
    "Array",
    "Concat",
    "Fork",
    "Frame",
    "Gather",
    "GlobalSum",
    "InputPort",
    "Join",
    "Lookup",
    "Mvtu",
    "OneToOne",
    "OutputPort",
    "Pad",
    "Permute",
    "PixelPad",
    "Pool",
    "Requant",
    "Split",
    "Table",
    "Thresholds",
    "Unit",
    "Upsample",
    "Vvtu",
    "WidthConverter",
    "Window",
    "divisors",
]

UNITS: dict[str, type[Unit]] = {
    cls.kind: cls
    for cls in (
        Activate, ArgMax, Concat, Fork, Gather, GlobalSum, InputPort, Join, Lookup, Mvtu, OutputPort, Pad, Permute,
        PixelPad, Pool, Split, Upsample, Vvtu, WidthConverter, Window,
    )
}  # fmt: skip
ACTIVATIONS: dict[str, type[Activation]] = {cls.kind: cls for cls in (Requant, Table, Thresholds)}
