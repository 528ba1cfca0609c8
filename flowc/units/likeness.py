"""Which units are alike: of equal cycles, schedules and cost at every folding, whatever numbers they compute with."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from typing import Any

import numpy as np

from flowc.units.activation import Activation
from flowc.units.base import Unit

__all__ = ["likeness"]

_NAMES = frozenset({"name", "origin"})


def likeness(unit: Unit) -> Hashable:
    """What decides a unit's cycles, schedule and cost; equal for units that differ in names and stored numbers only.

    Of arrays that the unit lists in `Unit.by_shape` the shape counts, of an activation what `Activation.likeness` gives, of anything else
    the value.
    """
    own = (_value(unit, f.name) for f in fields(unit) if f.name not in _NAMES)
    return type(unit), *own


def _value(unit: Unit, name: str) -> Hashable:
    value: Any = getattr(unit, name)
    if isinstance(value, Activation):
        return type(value), value.likeness
    if not isinstance(value, np.ndarray):
        return value
    return value.shape if name in unit.by_shape else (value.shape, value.dtype.str, value.tobytes())
