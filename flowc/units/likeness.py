"""Which units are alike: of equal cycles, schedules and cost at every folding, whatever numbers they compute with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import fields
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from flowc.units.activation import Activation
from flowc.units.base import Unit

__all__ = ["likeness", "of_each_kind"]

_NAMES = frozenset({"name", "origin"})

_known: WeakKeyDictionary[Unit, Hashable] = WeakKeyDictionary()

T = TypeVar("T")


def likeness(unit: Unit) -> Hashable:
    """What decides a unit's cycles, schedule and cost; equal for units that differ in names and stored numbers only.

    Of arrays that the unit lists in `Unit.by_shape` the shape counts, of an activation what `Activation.likeness` gives, of anything else
    the value.
    """
    if unit not in _known:
        own = (_value(unit, f.name) for f in fields(unit) if f.name not in _NAMES)
        _known[unit] = (type(unit), *own)
    return _known[unit]


def of_each_kind(units: Iterable[Unit], ask: Callable[[Unit], T]) -> dict[str, T]:
    """What ``ask`` says of each unit, by name; of units that are alike it is asked once."""
    told: dict[Hashable, T] = {}
    found: dict[str, T] = {}
    for unit in units:
        kind = likeness(unit)
        if kind not in told:
            told[kind] = ask(unit)
        found[unit.name] = told[kind]
    return found


def _value(unit: Unit, name: str) -> Hashable:
    value: Any = getattr(unit, name)
    if isinstance(value, Activation):
        return type(value), value.likeness
    if not isinstance(value, np.ndarray):
        return value
    return value.shape if name in unit.by_shape else (value.shape, value.dtype.str, value.tobytes())
