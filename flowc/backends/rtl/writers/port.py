"""Ports of the accelerator."""

from __future__ import annotations

from flowc.backends.rtl.instance import Instance, delay
from flowc.units import InputPort, OutputPort

__all__ = ["write_input", "write_output"]


def write_input(unit: InputPort) -> Instance:
    """An input port."""
    return Instance(unit, "input", {"WIDTH": unit.simd * unit.frame.dtype.bits, "DELAY": delay(unit, 0)})


def write_output(unit: OutputPort) -> Instance:
    """An output port."""
    width = unit.simd * unit.frame.dtype.bits
    return Instance(unit, "output", {"WIDTH": width, "BEATS": unit.cycles, "DELAY": delay(unit, 0)})
