"""The HLS C++ backend behind the interface of all backends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from flowc.backends.base import Backend, Cells, Simulated, register
from flowc.backends.hls import csim
from flowc.backends.hls.generate import generate
from flowc.backends.hls.split import split_large, whole_unit
from flowc.backends.hls.writers import WRITERS
from flowc.backends.programs import compiler
from flowc.errors import UsageError
from flowc.interface.names import alone_names, name_design
from flowc.units import Array, Unit
from flowc.units.graph import Dataflow

__all__ = ["HlsBackend"]


class HlsBackend(Backend):
    """HLS C++ for Vitis HLS; g++ and the vendor's open AP types simulate it."""

    name: ClassVar[str] = "hls"
    language: ClassVar[str] = "HLS C++"

    def why_not(self, unit: Unit) -> str | None:
        return None if unit.kind in WRITERS else f"no {self.language} for this unit"

    def write(
        self,
        graph: Dataflow,
        out: Path,
        *,
        part: str,
        clock_mhz: float,
        header: str,
        marks: bool = False,  # noqa: ARG002
    ) -> None:
        self.check(graph)
        generate(graph, out, part=part, clock_mhz=clock_mhz, header=header)

    def write_vectors(
        self, folder: Path, graph: Dataflow, inputs: Sequence[Array], outputs: Sequence[Array] = ()
    ) -> None:
        csim.write_vectors(folder, graph, inputs, outputs)

    def simulate(self, folder: Path, graph: Dataflow, inputs: Sequence[Array]) -> Simulated:
        start = time.perf_counter()
        binary = csim.compile(folder)
        compiled = time.perf_counter()
        frames = csim.run(binary, graph, inputs)
        ran = time.perf_counter()
        named = {unit.name: frame for unit, frame in zip(graph.outputs, frames, strict=True)}
        return Simulated(named, compiled - start, ran - compiled)

    def cells(self, graph: Dataflow) -> Cells:
        parts = split_large(graph)
        names = name_design(parts)
        inside: dict[str, list[str]] = {}
        for unit in parts:
            inside.setdefault(whole_unit(graph, unit.name), []).append(names.layers[unit.name])
        tops = alone_names(names.layers.values())
        alone = {tops[of[0]]: unit for unit, of in inside.items() if len(of) == 1}
        return Cells(names.top, inside, alone)

    def missing_tools(self) -> list[str]:
        missing = []
        for needed in (compiler, csim.ap_include):
            try:
                needed()
            except UsageError as error:
                missing.append(f"{error.message}. {error.remedy}")
        return missing


register(HlsBackend())
