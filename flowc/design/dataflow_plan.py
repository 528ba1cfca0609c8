"""Dataflow execution as a plan: a folded graph, its figures, and the backend that writes it down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from flowc.backends import Backend, Cells, Simulated, find
from flowc.backends.alveo import generate_alveo, platform
from flowc.backends.driver import generate_driver
from flowc.backends.rtl.board import check_board, generate_board
from flowc.backends.vivado import generate_vivado, why_ip_only
from flowc.dataflow.allocate import StatusBlock, allocate, chosen_folding
from flowc.dataflow.emulator import emulate
from flowc.dataflow.figures import figures_of
from flowc.dataflow.observer import Observer
from flowc.dataflow.serialize import dataflow_from_json, dataflow_to_json
from flowc.design.csim import extreme_frames
from flowc.design.plan import Plan, Probe, ProjectInfo, Request
from flowc.errors import UsageError
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["DataflowPlan"]

_FIGURES = (
    "clock_mhz", "execution", "fps", "latency_ms", "interval_cycles", "bottleneck", "resources", "available", "fits",
    "layers", "fifos",
)  # fmt: skip
_NEWER = ("fifo_resources", "status_resources", "line_resources", "budget", "folding", "traffic", "roofline", "energy")
"""Figures that reports of earlier versions lack."""


@dataclass(eq=False)
class DataflowPlan(Plan):
    """A unit per layer, streams between, weights on chip.

    Attributes:
        graph: folded, with width converters, FIFO depths and memories.
        target: the board.
        backend: the hardware language.
        figures: the plan's part of report.json.
        notes: remarks for the user.
        status: whether the board's system has the registers of ``flowc_status.v``.
    """

    execution: ClassVar[str] = "dataflow"
    graph: Dataflow
    target: Target
    backend: Backend
    figures: dict[str, Any]
    notes: tuple[str, ...] = ()
    status: bool = False

    @classmethod
    def make(cls, compiled: Compiled, request: Request) -> Self:
        if request.execution == "dataflow" and (request.batch or request.latency_ms or request.engine):
            raise UsageError(
                "a batch, a latency or an engine can be asked of loopback execution only",
                remedy="Use --execution loopback, or auto",
            )
        if request.status and (reason := why_ip_only(request.target)) is not None:
            raise UsageError(
                f"a status block stands in the system around a processor, which {request.target.name} does not get: {reason}",
                remedy="Leave --status out",
            )
        backend = find(request.backend)
        backend.check(compiled.graph)
        status = StatusBlock(backend.marked(compiled.graph) is not None) if request.status else None
        allocation = allocate(
            backend.prepare(compiled.graph),
            request.target,
            clock_mhz=request.clock_mhz,
            fps=request.fps,
            folding=request.folding,
            utilization=request.utilization,
            status=status,
        )
        check_board(allocation.graph, request.target, allocation.clock_mhz)
        figures = figures_of(allocation, request.target)
        return cls(allocation.graph, request.target, backend, figures, allocation.notes, request.status)

    @property
    def fits(self) -> bool:
        return bool(self.figures["fits"])

    @property
    def fps(self) -> float:
        return float(self.figures["fps"])

    @property
    def latency_ms(self) -> float | None:
        found: float | None = self.figures["latency_ms"]
        return found

    @property
    def clock_mhz(self) -> float:
        return float(self.figures["clock_mhz"])

    @property
    def resources(self) -> Mapping[str, int | None]:
        found: Mapping[str, int | None] = self.figures["resources"]
        return found

    def run(
        self,
        frames: Mapping[str, Array],
        *,
        probe: Probe | None = None,
        streams: Set[Stream] | None = None,
        emulator: str | None = None,
    ) -> dict[str, Array]:
        return emulate(self.graph, frames, probe=probe, streams=streams, emulator=emulator)

    def observer(self, streams: frozenset[Stream], sums: frozenset[Stream], emulator: str | None = None) -> Observer:
        return Observer(self.graph, streams, sums, emulator)

    def simulate(self, directory: Path, frames: Mapping[str, Array]) -> Simulated:
        inputs = [frames[u.name].astype(np.int64) for u in self.graph.inputs]
        return self.backend.simulate(directory / self.backend.name, self.graph, inputs)

    def write(self, directory: Path, info: ProjectInfo) -> None:
        target, clock = self.target, self.clock_mhz
        folding = json.dumps(chosen_folding(self.graph), indent=1)
        (directory / "folding.json").write_text(folding + "\n", encoding="utf-8")
        code = directory / self.backend.name
        self.backend.write(self.graph, code, part=target.part, clock_mhz=clock, header=info.header, marks=self.status)
        fifos = self.backend.marked(self.graph) if self.status else None
        frames = extreme_frames(self.graph, info.samples)
        results = self.run(frames)
        inputs, outputs = ([a[u.name] for u in ends] for a, ends in self._ends(frames, results))
        self.backend.write_vectors(code / "vectors", self.graph, inputs, outputs)
        if not target.is_open:
            generate_vivado(
                self.graph,
                directory / "vivado",
                status=self.status,
                fifos=len(fifos or ()),
                target=target,
                clock_mhz=clock,
                header=info.header,
                backend=self.backend.name,
            )
        elif target.has_board:
            generate_board(self.graph, code, target=target, clock_mhz=clock, header=info.header)
        if platform(target) is not None:
            generate_alveo(
                self.graph,
                directory / "alveo",
                target=target,
                clock_mhz=clock,
                header=info.header,
                backend=self.backend.name,
            )
        generate_driver(
            self.graph, directory / "driver", target=target, header=info.header, results=info.results, host=info.host,
            status=self.status, fifos=fifos,
        )  # fmt: skip

    def _ends(self, frames: Mapping[str, Array], results: Mapping[str, Array]) -> Any:
        return (frames, self.graph.inputs), (results, self.graph.outputs)

    def cells(self) -> Cells:
        return self.backend.cells(self.graph)

    def report(self) -> dict[str, Any]:
        return dict(self.figures)

    def document(self) -> tuple[dict[str, Any], dict[str, Array]]:
        document, arrays = dataflow_to_json(self.graph)
        return {"backend": self.backend.name, "status": self.status, **document}, arrays

    @classmethod
    def read(
        cls, document: Mapping[str, Any], arrays: Mapping[str, Array], report: Mapping[str, Any], target: Target
    ) -> Self:
        figures = {key: report[key] for key in _FIGURES} | {key: report.get(key) for key in _NEWER}
        graph, backend = dataflow_from_json(document, arrays), find(document.get("backend", "hls"))
        return cls(graph, target, backend, figures, status=document.get("status") is True)
