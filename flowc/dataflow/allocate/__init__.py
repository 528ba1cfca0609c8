"""Folding, memories and FIFOs of a dataflow graph for a target."""

from flowc.dataflow.allocate.allocation import Allocation, allocate, checked_clock
from flowc.dataflow.allocate.check import check
from flowc.dataflow.allocate.foldfile import chosen_folding, folding_of, read_folding
from flowc.dataflow.allocate.limits import Limits
from flowc.dataflow.allocate.simulation import Deadlock, Simulation, simulate
from flowc.dataflow.allocate.status import StatusBlock

__all__ = [
    "Allocation",
    "Deadlock",
    "Limits",
    "Simulation",
    "StatusBlock",
    "allocate",
    "check",
    "checked_clock",
    "chosen_folding",
    "folding_of",
    "read_folding",
    "simulate",
]
