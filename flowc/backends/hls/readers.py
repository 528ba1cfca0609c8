"""Readers of weights: small HLS blocks that bring weights from the external memory, for whatever language the accelerator is in."""

from __future__ import annotations

from pathlib import Path

from flowc.backends.hls.text import comment
from flowc.backends.render import commented, copied, render, write
from flowc.interface.weights import weight_ports
from flowc.units.graph import Dataflow

__all__ = ["reader_files", "write_readers"]

_HEADERS = ("ap.hpp", "weight_reader.hpp")


def reader_files(graph: Dataflow, header: str) -> dict[str, str]:
    """A small top function for each layer whose weights are not in the bitstream, by its path."""
    return {
        f"readers/{port.reader}.cpp": render(
            "hls/project/reader.cpp.j2", heading=commented(header, "//"), port=port, layer=comment(port.unit.name)
        )
        for port in weight_ports(graph)
    }


def write_readers(graph: Dataflow, out: Path, *, part: str, clock_mhz: float, header: str) -> None:
    """Writes a project of the readers alone, where the graph wants any.

    Args:
        graph: the design.
        out: folder to write to; made if it is needed and is not there.
        part: device.
        clock_mhz: clock wanted from synthesis.
        header: what made the project from what.

    Raises:
        UsageError: a file can't be written.
    """
    files = reader_files(graph, header)
    if not files:
        return
    readers = [port.reader for port in weight_ports(graph)]
    files |= {f"flowc/{name}": copied(f"hls/flowc/{name}", header, "//") for name in _HEADERS}
    files["vitis_hls.tcl"] = render(
        "hls/project/readers.tcl.j2",
        heading=commented(header, "#"),
        readers=readers,
        part=comment(part),
        period=f"{1000 / clock_mhz:.4g}",
    )
    for name, text in files.items():
        write(out / name, text)
