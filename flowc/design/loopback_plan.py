"""Loopback execution as a plan: an engine, a program for it, and the figures of both."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from flowc.backends.base import Cells, Simulated
from flowc.backends.driver_loopback import generate_loopback_driver
from flowc.backends.hls.loopback import simulate_engine, write_engine, write_golden
from flowc.backends.vivado_loopback import generate_engine_vivado, why_engine_only
from flowc.dataflow.allocate import Limits
from flowc.dataflow.emulator import unfolded
from flowc.dataflow.serialize import dataflow_from_json, dataflow_to_json
from flowc.design.loopback_observer import LoopbackObserver
from flowc.design.plan import Plan, Probe, ProjectInfo, Request
from flowc.errors import UsageError
from flowc.loopback.allocate import Wish, allocate, engine_clock, memory_of
from flowc.loopback.engine import Engine
from flowc.loopback.figures import figures_of
from flowc.loopback.program import Program, compile_program
from flowc.loopback.ranges import fit_all
from flowc.loopback.registers import CELL, TOP
from flowc.loopback.run import run_program
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["LoopbackPlan"]

_FIGURES = (
    "clock_mhz", "execution", "fps", "latency_ms", "interval_cycles", "bottleneck", "resources", "available", "fits", "layers", "fifos",
    "engine", "batch", "stripes", "traffic", "roofline", "energy", "external_memory_bytes", "descriptors", "host",
)  # fmt: skip


@dataclass(eq=False)
class LoopbackPlan(Plan):
    """Layer after layer on one array, weights and activations in the external memory.

    Attributes:
        graph: the unfolded graph whose function the program has.
        target: the board.
        engine: the array.
        batch: images of a run; 1: lanes are stripes of one image.
        figures: the plan's part of report.json.
        notes: remarks for the user.
    """

    execution: ClassVar[str] = "loopback"
    graph: Dataflow
    target: Target
    engine: Engine
    batch: int
    figures: dict[str, Any]
    notes: tuple[str, ...] = ()
    given: Program | None = None

    @classmethod
    def make(cls, compiled: Compiled, request: Request) -> Self:
        if request.backend != "hls":
            raise UsageError(
                f"the backend '{request.backend}' writes dataflow designs only",
                remedy="Use --execution dataflow, or --backend hls",
            )
        if request.status:
            raise UsageError(
                "a status block can be asked of dataflow execution only",
                remedy="Use --execution dataflow, or leave --status out",
            )
        if request.folding:
            raise UsageError(
                "a folding fixes PE and SIMD of dataflow units; loopback execution has none",
                remedy="Leave --folding out, or use --execution dataflow",
            )
        engine = None if request.engine is None else Engine.read(request.engine)
        if engine is not None and request.clock_mhz is not None and request.clock_mhz != engine.clock_mhz:
            raise UsageError(
                f"the engine runs at {engine.clock_mhz:g} MHz, not at {request.clock_mhz:g}",
                remedy="Leave --clock out, or build another engine",
            )
        target = request.target
        budget = (request.utilization or Limits()).budget(target)
        graph = unfolded(compiled.graph)
        found = allocate(
            graph,
            fit_all(graph),
            target,
            clock_mhz=engine_clock(target) if request.clock_mhz is None else request.clock_mhz,
            budget=budget,
            wish=Wish(request.fps, request.batch, request.latency_ms),
            engine=engine,
        )
        figures = figures_of(found, target, budget)
        program = found.program
        return cls(graph, target, program.engine, program.batch, figures, _notes(figures, request), program)

    @cached_property
    def program(self) -> Program:
        """Descriptors and memory; compiled again from graph and engine where the plan was read from a file."""
        if self.given is not None:
            return self.given
        return compile_program(
            self.graph, self.engine, fit_all(self.graph), batch=self.batch, memory=memory_of(self.target, self.engine.clock_mhz),
            stripes=self.batch == 1,
        )  # fmt: skip

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
        return self.engine.clock_mhz

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
        return run_program(self.program, frames, probe=probe, streams=streams, emulator=emulator)

    def observer(
        self, streams: frozenset[Stream], sums: frozenset[Stream], emulator: str | None = None
    ) -> LoopbackObserver:
        return LoopbackObserver(self.program, streams, sums, emulator)

    def simulate(self, directory: Path, frames: Mapping[str, Array]) -> Simulated:
        return simulate_engine(directory / "hls", self.program, frames)

    def write(self, directory: Path, info: ProjectInfo) -> None:
        self.engine.write(directory / "engine.json")
        code = directory / "hls"
        write_engine(self.engine, code, part=self.target.part, header=info.header)
        write_golden(code / "vectors", self.program, info.samples)
        generate_engine_vivado(self.engine, directory / "vivado", target=self.target, header=info.header)
        folder = directory / "loopback"
        folder.mkdir()
        program = self.program
        (folder / "descriptors.bin").write_bytes(program.table.astype("<u4").tobytes())
        (folder / "weights.bin").write_bytes(program.weights.tobytes())
        generate_loopback_driver(
            program, directory / "driver", target=self.target, header=info.header, results=info.results, host=info.host
        )

    def cells(self) -> Cells:
        return Cells(TOP, cell=CELL)  # its layers have no hardware of their own

    def report(self) -> dict[str, Any]:
        return dict(self.figures)

    def document(self) -> tuple[dict[str, Any], dict[str, Array]]:
        document, arrays = dataflow_to_json(self.graph)
        return {"engine": self.engine.as_dict(), "batch": self.batch, **document}, arrays

    @classmethod
    def read(
        cls, document: Mapping[str, Any], arrays: Mapping[str, Array], report: Mapping[str, Any], target: Target
    ) -> Self:
        figures = {key: report[key] for key in _FIGURES} | {"budget": report.get("budget")}
        engine = Engine.from_dict(document["engine"], "design.json")
        return cls(dataflow_from_json(document, arrays, folded=False), target, engine, int(document["batch"]), figures)


def _notes(figures: Mapping[str, Any], request: Request) -> tuple[str, ...]:
    """Remarks: the clock, what the host computes, what the external memory is taken to give."""
    notes = []
    if request.clock_mhz is None and request.engine is None:
        notes.append(
            f"the engine's clock of {figures['clock_mhz']:g} MHz is a third of the limit of the device's clock tree, in steps of "
            "25 MHz; no synthesis stands behind it"
        )
    if request.target.ddr_gbps is None:
        moved = memory_of(request.target, figures["clock_mhz"]).port_bytes
        notes.append(
            f"the target says nothing of its external memory, so every port is taken to move {moved} bytes per cycle"
        )
    if (reason := why_engine_only(request.target)) is not None:
        notes.append(f"vivado/ implements the engine alone, and makes no bitstream: {reason}")
    notes += [f"unit '{step['unit']}' runs on the host: {step['reason']}" for step in figures["host"]]
    return tuple(notes)
