"""A network on an array, in figures."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METRICS", "ArrayPoint", "ratio"]

METRICS = ("cycles", "buffer", "inter_pe", "intra_pe", "dram", "energy")
"""Figures of a point of which less is better."""


@dataclass(frozen=True)
class ArrayPoint:
    """A network on an array, for the whole batch.

    Attributes:
        dataflow, height, width: the array.
        cycles: for all layers, one after the other.
        utilization: products per cycle and processing element.
        buffer, inter_pe, intra_pe, dram: words moved at each level (docs/arrays.md).
        energy: of these, in accesses of a register.
        energy_to_best: relative to the least of the network, over all dataflows of the sweep.
    """

    dataflow: str
    height: int
    width: int
    cycles: int
    utilization: float
    buffer: int
    inter_pe: int
    intra_pe: int
    dram: int
    energy: float
    energy_to_best: float


def ratio(value: float, least: float) -> float | None:
    """How many times the least a value is; None where the least is nothing and the value is not."""
    if least:
        return value / least
    return None if value else 1.0
