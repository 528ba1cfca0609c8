"""Everything a build leaves behind, written into an empty directory."""

from __future__ import annotations

from pathlib import Path

from flowc import __version__
from flowc.backends.driver import generate_driver
from flowc.backends.hls import csim, generate
from flowc.backends.vivado import generate_vivado
from flowc.dataflow.emulator import emulate
from flowc.design.csim import extreme_frames
from flowc.design.design import Design
from flowc.report.report import write

__all__ = ["write_project"]


def write_project(design: Design, directory: Path) -> None:
    """Writes report, design, C++, scripts and driver.

    Args:
        directory: exists and is empty.
    """
    target = design.target
    clock = float(design.report["clock_mhz"])
    model = design.report["model"]
    header = f"flowc {__version__}: {model['name']} (sha256 {model['sha256'][:16]}) for {target.name} at {clock:g} MHz"
    design.write_files(directory)
    generate(design.graph, directory / "hls", part=target.part, clock_mhz=clock, header=header)
    _write_vectors(design, directory / "hls" / "vectors")
    generate_vivado(design.graph, directory / "vivado", target=target, clock_mhz=clock, header=header)
    host = {
        n: h.model.SerializeToString(deterministic=True)
        for n, h in (("head.onnx", design.head), ("tail.onnx", design.tail))
        if h is not None
    }
    results = {n: d.name for n, d in design.outputs.items()}
    generate_driver(design.graph, directory / "driver", target=target, header=header, results=results, host=host)
    write(design, directory)


def _write_vectors(design: Design, folder: Path) -> None:
    """Golden vectors for the testbench: a random frame and extreme ones, with what the emulator makes of them."""
    heads = design.run_head(design.samples(1, 0))
    frames = extreme_frames(design.graph, design.to_ports(heads))
    results = emulate(design.graph, frames)
    inputs = [frames[u.name] for u in design.graph.inputs]
    csim.write_vectors(folder, design.graph, inputs, [results[u.name] for u in design.graph.outputs])
