"""The accelerator as an IP: an IP-XACT description for any tool (IEEE 1685-2009), and a script with which Vivado packages it.

Ports have the names and the meaning of those of the HLS backend's IP, so that the block design and the driver are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.backends.render import commented, render
from flowc.interface.names import Names, name_design
from flowc.interface.weights import weight_ports
from flowc.interface.wire import HostPort
from flowc.units.graph import Dataflow

__all__ = ["package_files"]


@dataclass(frozen=True)
class _Stream:
    """A port of the accelerator: an AXI4-Stream.

    Attributes:
        name: of the port.
        bytes: of TDATA.
        is_input: whether beats come in; outputs have TKEEP and TLAST.
    """

    name: str
    bytes: int
    is_input: bool

    @property
    def signals(self) -> dict[str, tuple[str, int | None]]:
        """Signal to its direction and bits; a single wire has None."""
        there, back = ("in", "out") if self.is_input else ("out", "in")
        more: dict[str, tuple[str, int | None]] = (
            {} if self.is_input else {"TKEEP": (there, self.bytes), "TLAST": (there, None)}
        )
        return {"TDATA": (there, 8 * self.bytes), **more, "TVALID": (there, None), "TREADY": (back, None)}

    @property
    def physical(self) -> list[str]:
        """Ports of the module."""
        return [f"{self.name}_{signal}" for signal in self.signals]

    @property
    def bus(self) -> dict[str, Any]:
        """Its bus interface."""
        sides = int(not self.is_input)
        return {
            "name": self.name,
            "library": "interface",
            "kind": "axis",
            "mode": "slave" if self.is_input else "master",
            "maps": {signal: f"{self.name}_{signal}" for signal in self.signals},
            "parameters": {"TDATA_NUM_BYTES": self.bytes, "HAS_TREADY": 1, "HAS_TLAST": sides, "HAS_TKEEP": sides},
        }


def package_files(graph: Dataflow, out: Path, *, part: str, header: str, marks: bool = False) -> dict[str, str]:
    """``component.xml`` and ``package.tcl`` for the project that lies in ``out``, by name.

    Args:
        graph: the design.
        out: where `flowc.backends.rtl.generate.generate` has written it.
        part: device that the script packages for.
        header: what made the files from what.
        marks: whether it has the ports of the FIFOs' high-water marks.
    """
    names = name_design(graph)
    streams = _streams(graph, names)
    sources = (out / "files.f").read_text(encoding="utf-8").split()
    memories = sorted(f"data/{path.name}" for path in out.glob("data/*.hex"))
    wires: list[dict[str, Any]] = [{"name": name, "direction": "in", "bits": None} for name in ("ap_clk", "ap_rst_n")]
    if marks:
        wires += [
            {"name": "fifo_at", "direction": "in", "bits": 16},
            {"name": "fifo_mark", "direction": "out", "bits": 32},
        ]
    wires += [
        {"name": f"{s.name}_{signal}", "direction": direction, "bits": bits}
        for s in streams
        for signal, (direction, bits) in s.signals.items()
    ]
    component = render(
        "rtl/component.xml.j2",
        top=names.top,
        buses=[*_clock_and_reset(s.name for s in streams), *(s.bus for s in streams)],
        wires=wires,
        files=dict.fromkeys(sources, "fileType") | dict.fromkeys(memories, "userFileType"),
        about=" ".join(commented(header, "").split()),
    )
    script = render(
        "rtl/package.tcl.j2", heading=commented(header, "#"), top=names.top, sources=sources, ports=streams, part=part,
        macros=_macros(part),
    )  # fmt: skip
    return {"component.xml": component, "package.tcl": script}


def _macros(part: str) -> list[str]:
    """What makes the modules ask for the device's primitives by name: tables, and the slices that 7 series do not have."""
    return ["FLOWC_LUT6_2", *([] if re.match("x[acq]7", part) else ["FLOWC_DSP48E2"])]


def _streams(graph: Dataflow, names: Names) -> Sequence[_Stream]:
    """In the order in which the module has them."""
    ends = [(names.ports[u.name], HostPort.of(u)) for u in (*graph.inputs, *graph.outputs)]
    streams = [_Stream(name, port.stream_bytes, port.is_input) for name, port in ends]
    return [*streams, *(_Stream(p.name, p.stream_bytes, True) for p in weight_ports(graph))]


def _clock_and_reset(streams: Iterable[str]) -> list[dict[str, Any]]:
    """The bus interfaces of the clock, which names all streams that run with it, and of the reset."""
    shared = {"library": "signal", "mode": "slave"}
    clock = {"ASSOCIATED_BUSIF": ":".join(streams), "ASSOCIATED_RESET": "ap_rst_n"}
    return [
        {**shared, "name": "ap_clk", "kind": "clock", "maps": {"CLK": "ap_clk"}, "parameters": clock},
        {
            **shared,
            "name": "ap_rst_n",
            "kind": "reset",
            "maps": {"RST": "ap_rst_n"},
            "parameters": {"POLARITY": "ACTIVE_LOW"},
        },
    ]
