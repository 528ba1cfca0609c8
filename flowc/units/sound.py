"""Checks of a unit's own fields, for designs that are read from files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowc.model.dtypes import BIPOLAR, IntType

__all__ = ["MOST_ELEMENTS", "MOST_PORTS", "array_faults", "number_faults", "permutation_faults", "sign_faults"]

MOST_ELEMENTS = 1 << 27
"""Elements of the largest frame or array, as of models that are imported."""

MOST_PORTS = 1 << 12
"""Ports of a unit."""


def array_faults(
    name: str, array: object, shape: Sequence[tuple[int, ...] | None], dtype: IntType | None = None
) -> list[str]:
    """What is wrong with an array of integers.

    Args:
        name: the field.
        array: its value.
        shape: per axis the lengths that are allowed; None: any, but none.
        dtype: type that holds every value; None: any.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        return [f"{name} is no array of integers"]
    fits = array.ndim == len(shape) and all(
        n > 0 if allowed is None else n in allowed for n, allowed in zip(array.shape, shape, strict=True)
    )
    if not fits:
        forms = ["any" if allowed is None else " or ".join(map(str, allowed)) for allowed in shape]
        return [f"{name} has the shape {array.shape}, must be ({', '.join(forms)})"]
    if dtype is None or not array.size:
        return []
    outside = ~np.isin(array, (-1, 1)) if dtype.bipolar else (array < dtype.lo) | (array > dtype.hi)
    return [f"{name} holds values beyond {dtype}"] if outside.any() else []


def sign_faults(signs: object, rows: int) -> list[str]:
    """What is wrong with the signs of negated rows; None: there are none."""
    return [] if signs is None else array_faults("signs", signs, [(rows,)], BIPOLAR)


def number_faults(least: int, **numbers: int) -> list[str]:
    """Numbers below ``least``."""
    return [f"{name} = {value} is below {least}" for name, value in numbers.items() if value < least]


def permutation_faults(name: str, array: object, elements: int | None) -> list[str]:
    """What is wrong with an array that must hold every number below its length once; ``elements``: the length, if it is given."""
    found = array_faults(name, array, [None if elements is None else (elements,)])
    if not found and isinstance(array, np.ndarray) and not np.array_equal(np.sort(array), np.arange(array.size)):
        found = [f"{name} is no permutation"]
    return found
