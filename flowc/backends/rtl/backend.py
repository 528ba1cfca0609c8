"""The SystemVerilog backend behind the interface of all backends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from flowc.backends.base import Backend, Cells, Marked, Simulated, register
from flowc.backends.hls.readers import write_readers
from flowc.backends.render import write
from flowc.backends.rtl import simulate
from flowc.backends.rtl.bench import write_port_vectors
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.package import package_files
from flowc.backends.rtl.tools import missing_simulator
from flowc.backends.rtl.wiring import wires
from flowc.backends.rtl.writers import WRITERS
from flowc.errors import MismatchError
from flowc.interface.names import name_design
from flowc.units import Array, Unit
from flowc.units.graph import Dataflow

__all__ = ["RtlBackend"]


class RtlBackend(Backend):
    """SystemVerilog; Verilator and g++ simulate it."""

    name: ClassVar[str] = "rtl"
    language: ClassVar[str] = "SystemVerilog"

    def why_not(self, unit: Unit) -> str | None:
        return None if unit.kind in WRITERS else f"no {self.language} for this unit"

    def prepare(self, graph: Dataflow) -> Dataflow:
        """Units as pipelines."""
        return graph.with_units({unit.name: unit.with_(structure="pipeline") for unit in graph})

    def write(
        self, graph: Dataflow, out: Path, *, part: str, clock_mhz: float, header: str, marks: bool = False
    ) -> None:
        self.check(graph)
        generate(graph, out, header=header, marks=marks)
        for name, text in package_files(graph, out, part=part, header=header, marks=marks).items():
            write(out / name, text)
        write_readers(graph, out / "weights", part=part, clock_mhz=clock_mhz, header=header)

    def marked(self, graph: Dataflow) -> list[Marked]:
        return [Marked(stream.src, stream.dst, wire.depth) for stream, wire in wires(graph).items()]

    def write_vectors(
        self, folder: Path, graph: Dataflow, inputs: Sequence[Array], outputs: Sequence[Array] = ()
    ) -> None:
        write_port_vectors(folder, graph, inputs, outputs)

    def simulate(self, folder: Path, graph: Dataflow, inputs: Sequence[Array]) -> Simulated:
        start = time.perf_counter()
        binary = simulate.compile(folder, graph)
        compiled = time.perf_counter()
        seen = simulate.run(binary, graph, [np.asarray(x) for x in inputs], golden=False)
        ran = time.perf_counter()
        if seen.stuck:
            raise MismatchError("the RTL simulation is stuck: no beat moves, but frames are missing")
        return Simulated(seen.frames, compiled - start, ran - compiled)

    def cells(self, graph: Dataflow) -> Cells:
        names = name_design(graph)
        return Cells(names.top, {unit.name: [f"u_{names.layers[unit.name]}"] for unit in graph})

    def missing_tools(self) -> list[str]:
        return missing_simulator()


register(RtlBackend())
