"""Folding, memories and FIFOs of a dataflow graph for a target."""

from flowc.allocate.allocation import Allocation, allocate
from flowc.allocate.check import check
from flowc.allocate.explore import Point, dask_executor, explore, pareto, rates
from flowc.allocate.foldfile import read_folding
from flowc.allocate.limits import Limits
from flowc.allocate.simulation import Deadlock, Simulation, simulate

__all__ = [
    "Allocation",
    "Deadlock",
    "Limits",
    "Point",
    "Simulation",
    "allocate",
    "check",
    "dask_executor",
    "explore",
    "pareto",
    "rates",
    "read_folding",
    "simulate",
]
