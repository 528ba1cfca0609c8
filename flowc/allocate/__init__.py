"""Folding, memories and FIFOs of a dataflow graph for a target."""

from flowc.allocate.allocation import Allocation, allocate, checked_clock
from flowc.allocate.check import check
from flowc.allocate.executors import dask_executor, process_executor
from flowc.allocate.foldfile import folding_of, read_folding
from flowc.allocate.limits import Limits
from flowc.allocate.points import Point, explore, pareto, rates
from flowc.allocate.simulation import Deadlock, Simulation, simulate

__all__ = [
    "Allocation",
    "Deadlock",
    "Limits",
    "Point",
    "Simulation",
    "allocate",
    "check",
    "checked_clock",
    "dask_executor",
    "explore",
    "folding_of",
    "pareto",
    "process_executor",
    "rates",
    "read_folding",
    "simulate",
]
