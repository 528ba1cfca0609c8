"""What modelled resources take of a target: look-up tables of its kind, memories as it has them, and parts of blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

import numpy as np

from flowc.dataflow.allocate.limits import RESOURCES
from flowc.dataflow.allocate.select import Floats
from flowc.targets import Target
from flowc.targets.target import LUTS_PER_LUT6, WITHOUT_LUTRAM
from flowc.units.cost import Resources
from flowc.units.ice40 import EBRS_PER_BRAM18

__all__ = ["device_vector", "gathered", "in_cells", "on_device", "on_family", "vector"]

_FFS_PER_CELL = 3
"""Flip-flops of an iCE40 that a cell more is counted for; docs/cost-model.md says how this was fitted."""


def vector(resources: Resources) -> Floats:
    """The figures in the order of `RESOURCES`; what is unknown counts as nothing here and is named in the notes."""
    used = (resources.lut, resources.ff, resources.bram18, resources.uram, resources.dsp)  # as RESOURCES names them
    return np.array([float(amount or 0) for amount in used])


def device_vector(resources: Resources) -> Floats:
    """`vector` of what a part of a design takes of a target (`on_device`): of iCE40 its blocks, as parts of one of 18 kbit."""
    found = vector(resources)
    if resources.ice40_ebrs:
        found[RESOURCES.index("bram18")] = resources.ice40_ebrs / EBRS_PER_BRAM18
    return found


def on_device(resources: Resources, target: Target) -> Resources:
    """What modelled resources, with look-up tables of 6 inputs, take of the target's (`on_family`, `in_cells`)."""
    return in_cells(on_family(resources, target.family), target)


def in_cells(resources: Resources, target: Target) -> Resources:
    """``resources`` of a part, its look-up tables as the logic cells that the target counts.

    A cell of iCE40 holds a table and a flip-flop that takes the table's output, and nothing else: other flip-flops have a cell of their
    own. About half do; the tables, which are modelled too dear there, make up for a part of them.
    """
    if target.has_lutram or resources.lut is None or resources.ff is None:
        return resources
    return replace(resources, lut=resources.lut + ceil(resources.ff / _FFS_PER_CELL))


def on_family(resources: Resources, family: str) -> Resources:
    """What modelled resources, with look-up tables of 6 inputs, take of a part of a family.

    On iCE40 memories are what yosys makes of them there, and so many of its blocks fill those of 18 kbit.
    """
    lut, ff, bram18, factor = resources.lut, resources.ff, resources.bram18, LUTS_PER_LUT6.get(family, 1.0)
    if family not in WITHOUT_LUTRAM:
        return Resources(None if lut is None else ceil(lut * factor), ff, bram18, resources.uram, resources.dsp)
    apart = Resources(
        None if lut is None else ceil((lut - resources.memory_luts) * factor) + resources.ice40_luts,
        None if ff is None else ff + resources.ice40_ffs,
        None if bram18 is None else 0,
        resources.uram,
        resources.dsp,
        ice40_ebrs=resources.ice40_ebrs,
    )
    return gathered([apart])


def gathered(parts: Iterable[Resources]) -> Resources:
    """The sum of what parts of a design take of a target (`on_device`): of iCE40 its blocks together fill those of 18 kbit."""
    total = Resources.total(parts)
    if total.bram18 is None or not total.ice40_ebrs:
        return total
    return replace(total, bram18=ceil(total.ice40_ebrs / EBRS_PER_BRAM18))
