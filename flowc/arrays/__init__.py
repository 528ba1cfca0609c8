"""Which processor array to build: height, width and dataflow, by closed forms (docs/arrays.md).

`explore_array` sweeps networks over arrays; the command is ``flowc explore-array``.
"""

from __future__ import annotations

from flowc.arrays.dataflows import DATAFLOWS
from flowc.arrays.explore import explore_array
from flowc.arrays.layers import Layer, Network
from flowc.arrays.points import ArrayPoint
from flowc.arrays.setup import Setup
from flowc.arrays.sources import load_network
from flowc.arrays.sweep import ArraySweep, LayerPoint
from flowc.arrays.tables import known_networks

__all__ = [
    "DATAFLOWS",
    "ArrayPoint",
    "ArraySweep",
    "Layer",
    "LayerPoint",
    "Network",
    "Setup",
    "explore_array",
    "known_networks",
    "load_network",
]
