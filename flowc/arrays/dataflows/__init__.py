"""The five dataflows: what each keeps in its cells, and the closed forms that follow. One dataflow per file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flowc.arrays.counts import Counts, Sizes
from flowc.arrays.dataflows import (
    input_stationary,
    no_local_reuse,
    output_stationary,
    row_stationary,
    weight_stationary,
)
from flowc.arrays.layers import Layer
from flowc.arrays.setup import Setup

__all__ = ["DATAFLOWS"]

DATAFLOWS: Mapping[str, Callable[[Layer, Sizes, Sizes, Setup], Counts]] = MappingProxyType(
    {
        "ws": weight_stationary.count,
        "os": output_stationary.count,
        "is": input_stationary.count,
        "rs": row_stationary.count,
        "nlr": no_local_reuse.count,
    }
)
"""Counts of a layer (its batch already in it) on arrays of these heights and widths, by the name of the dataflow."""
