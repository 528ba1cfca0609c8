"""Folding, memories and FIFOs of a dataflow graph for a target."""

from flowc.allocate.allocation import Allocation, allocate
from flowc.allocate.check import check
from flowc.allocate.foldfile import read_folding
from flowc.allocate.limits import Limits

__all__ = ["Allocation", "Limits", "allocate", "check", "read_folding"]
