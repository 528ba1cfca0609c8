"""The accelerator's own ports."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer
from flowc.units import InputPort, OutputPort

__all__ = ["port_bytes", "write_input", "write_output"]


def port_bytes(unit: InputPort | OutputPort) -> int:
    """Bytes of TDATA on a port: a beat of ``simd`` elements rounded up to whole bytes."""
    return -(-unit.simd * unit.frame.dtype.bits // 8)


def _port(unit: InputPort | OutputPort, function: str) -> Layer:
    values = {
        "function": function,
        "beats": unit.cycles,
        "bytes": port_bytes(unit),
        "about": f"{unit.simd} x {unit.frame.dtype.bits} bits, in whole bytes",
    }
    return Layer(unit, "port.cpp.j2", ("port.hpp",), values=values)


def write_input(unit: InputPort) -> Layer:
    """C++ of an input port."""
    return _port(unit, "receive")


def write_output(unit: OutputPort) -> Layer:
    """C++ of an output port."""
    return _port(unit, "send")
