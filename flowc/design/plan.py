"""What an execution style adds to a design, and what is asked of it.

A *plan* says how the integer part of a network runs on a target: `flowc.design.dataflow_plan.DataflowPlan` as units joined by
streams. Everything around it (host parts, reference, certificate, verification, files) is the same for every style and asks the
plan, never which style it is.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from flowc.backends.base import Cells, Simulated
from flowc.dataflow.allocate import Limits
from flowc.dataflow.observer import Watch
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["Plan", "Probe", "ProjectInfo", "Request", "Watching"]

Probe = Callable[[Stream, Array], Array]
"""Called with every stream of `Plan.graph` and its frames (N, H, W, C); what it returns is what flows on."""


class Watching(Protocol):
    """What `Plan.observer` gives."""

    def run(self, inputs: Mapping[str, Array], watch: Watch) -> dict[str, Array]:
        """As of `flowc.dataflow.observer.Observer.run`."""


@dataclass(frozen=True)
class Request:
    """What is asked of a plan.

    Attributes:
        target: the board.
        fps: wanted frames per second; None: as many as fit.
        clock_mhz: clock; None: the target's.
        execution: "auto", or the name of a style.
        folding: PE, SIMD and styles fixed by hand, per layer.
        utilization: shares of the target that may be used.
        backend: the hardware language.
        batch: images that loopback execution computes at a time; None: its choice.
        latency_ms: most milliseconds from a batch's begin to its end; loopback execution only.
        engine: ``engine.json`` of a loopback engine that exists; None: one is chosen.
        status: with a register block that counts what streams do, and resets the accelerator alone; dataflow execution only.
    """

    target: Target
    fps: float | None = None
    clock_mhz: float | None = None
    execution: str = "auto"
    folding: Mapping[str, Any] | None = None
    utilization: Limits | None = None
    backend: str = "hls"
    batch: int | None = None
    latency_ms: float | None = None
    engine: str | os.PathLike[str] | None = None
    status: bool = False


@dataclass(frozen=True, eq=False)
class ProjectInfo:
    """What a plan needs to write its part of a project.

    Attributes:
        header: what made the project from what; every file starts with it as a comment.
        results: the model's outputs in order: name to numpy dtype.
        host: "head.onnx" and "tail.onnx" as far as the model has them.
        samples: integers (N, H, W, C) per input port, for golden vectors.
    """

    header: str
    results: Mapping[str, str]
    host: Mapping[str, bytes]
    samples: Mapping[str, Array]


class Plan(ABC):
    """How the integer part of a network runs on a target.

    Attributes:
        execution: name of the style.
        target: the board.
        graph: units and streams whose function the hardware computes; verification walks them.
    """

    execution: ClassVar[str]
    target: Target
    graph: Dataflow

    @classmethod
    @abstractmethod
    def make(cls, compiled: Compiled, request: Request) -> Self:
        """The plan for a compiled model.

        Raises:
            UsageError: an option makes no sense.
            TooLargeError: the network does not fit in this style, however slow.
            InfeasibleError: it does not fit at the wanted rate.
        """

    @property
    @abstractmethod
    def fits(self) -> bool:
        """Whether the plan keeps the target's limits."""

    @property
    @abstractmethod
    def fps(self) -> float:
        """Frames per second in steady state."""

    @property
    @abstractmethod
    def latency_ms(self) -> float | None:
        """From a frame's first input to its last output; None where that is not known."""

    @property
    @abstractmethod
    def clock_mhz(self) -> float:
        """Clock that the figures are for."""

    @property
    @abstractmethod
    def resources(self) -> Mapping[str, int | None]:
        """lut, ff, bram18, uram, dsp; None for what is not known."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user."""

    @abstractmethod
    def run(
        self,
        frames: Mapping[str, Array],
        *,
        probe: Probe | None = None,
        streams: Set[Stream] | None = None,
        emulator: str | None = None,
    ) -> dict[str, Array]:
        """Emulates the plan.

        Args:
            frames: integers (N, H, W, C) per input port.
            probe: sees, and may exchange, what flows on streams of `graph`.
            streams: which streams the probe is for; None: all.
            emulator: "native" (compiled kernels), "numpy", or None: the fastest that can be had. All give the same.

        Returns:
            Integers (N, H, W, C) per output port, int64.
        """

    @abstractmethod
    def observer(self, streams: frozenset[Stream], sums: frozenset[Stream], emulator: str | None = None) -> Watching:
        """Watches streams of the unfolded `graph` on whole batches (see `flowc.dataflow.observer`)."""

    @abstractmethod
    def simulate(self, directory: Path, frames: Mapping[str, Array]) -> Simulated:
        """Compiles and runs the code that `write` wrote into ``directory``; arguments as for `run`.

        Raises:
            UsageError: a tool that this needs is missing.
            MismatchError: the simulation itself fails: beats are missing or left over, or it deadlocks.
        """

    @abstractmethod
    def write(self, directory: Path, info: ProjectInfo) -> None:
        """Writes generated code, scripts and driver."""

    @abstractmethod
    def cells(self) -> Cells:
        """Where the layers of the report are in what `write` writes."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """The plan's part of report.json: rate, latency, resources, layers and what else belongs to the style."""

    @abstractmethod
    def document(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What design.json and weights.npz hold of the plan, for `read`."""

    @classmethod
    @abstractmethod
    def read(
        cls, document: Mapping[str, Any], arrays: Mapping[str, Array], report: Mapping[str, Any], target: Target
    ) -> Self:
        """The plan that `document` and `report` described."""
