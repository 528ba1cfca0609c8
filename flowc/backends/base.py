"""What a backend is: it writes a dataflow graph down in one hardware language, and simulates what it wrote.

A backend is a package in this folder, whose module `backend` registers it under the package's name; `find` imports it by
that name, so that a new backend touches nothing outside of its folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from flowc.errors import UnsupportedError, UsageError, shown
from flowc.targets import Target
from flowc.units import Array, Unit
from flowc.units.graph import Dataflow

__all__ = ["Backend", "Cells", "Marked", "Simulated", "chosen", "find", "known", "register"]


@dataclass(frozen=True, eq=False)
class Simulated:
    """What a simulation of generated code gave.

    Attributes:
        frames: output port -> integers (N, H, W, C).
        compile_s, run_s: seconds.
    """

    frames: Mapping[str, Array]
    compile_s: float
    run_s: float


@dataclass(frozen=True)
class Cells:
    """Where the units of a graph are found again in the hardware: the names by which reports of vendor tools tell them.

    Attributes:
        top: function or module of the whole.
        inside: unit to its instances in it, without what a tool adds to a name.
        alone: function or module of a project for one instance alone to its unit.
        cell: the whole in a system around it, where no unit in it tells which cell that is.
    """

    top: str
    inside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)
    cell: str | None = None


class Marked(NamedTuple):
    """A FIFO whose high-water mark the hardware keeps: the units that it joins, and the beats that it is made for."""

    src: str
    dst: str
    depth: int


class Backend(ABC):
    """One hardware language.

    Attributes:
        name: what ``--backend`` calls it; also the name of its folder in a project.
        language: for people.
    """

    name: ClassVar[str]
    language: ClassVar[str]

    @abstractmethod
    def why_not(self, unit: Unit) -> str | None:
        """Why this backend can't write ``unit``; None where it can."""

    @abstractmethod
    def write(
        self, graph: Dataflow, out: Path, *, part: str, clock_mhz: float, header: str, marks: bool = False
    ) -> None:
        """Writes the project of a graph that `check` accepts.

        Args:
            graph: the design; streams without a depth get the language's default.
            out: folder to write into, made if missing.
            part: full device name.
            clock_mhz: clock wanted from synthesis.
            header: what made the project from what; every file starts with it as a comment.
            marks: with ports that give the high-water marks of the FIFOs, where the language has them (see `marked`).
        """

    def marked(self, graph: Dataflow) -> list[Marked] | None:  # noqa: ARG002
        """The FIFOs whose marks the accelerator gives, in the order of its port; None where the language has none."""
        return None

    @abstractmethod
    def write_vectors(
        self, folder: Path, graph: Dataflow, inputs: Sequence[Array], outputs: Sequence[Array] = ()
    ) -> None:
        """Writes golden vectors for the project's test bench: integers (N, H, W, C) per input and per output port."""

    @abstractmethod
    def simulate(self, folder: Path, graph: Dataflow, inputs: Sequence[Array]) -> Simulated:
        """Compiles what `write` wrote into ``folder`` and runs frames through it, back to back.

        Args:
            inputs: integers (N, H, W, C) per input port, in the graph's order.

        Raises:
            UsageError: a tool is missing (see `missing_tools`).
            MismatchError: beats are missing or left over, or units deadlock.
        """

    @abstractmethod
    def missing_tools(self) -> list[str]:
        """What `simulate` needs and does not find on this machine: one text each, with what to install."""

    @abstractmethod
    def cells(self, graph: Dataflow) -> Cells:
        """Where the units are in what `write` writes."""

    def prepare(self, graph: Dataflow) -> Dataflow:
        """The graph, not yet folded, with what this backend's units do differently from those of HLS: here nothing."""
        return graph

    def check(self, graph: Dataflow) -> None:
        """Raises UnsupportedError naming every unit that this backend can't write."""
        refused = [
            (", ".join(unit.origin) or unit.name, unit.kind, reason)
            for unit in graph
            if (reason := self.why_not(unit)) is not None
        ]
        if refused:
            raise UnsupportedError(refused, remedy="use --backend hls, which writes every unit")


_REGISTERED: dict[str, Backend] = {}


def register(backend: Backend) -> Backend:
    """Makes a backend known under its name."""
    _REGISTERED[backend.name] = backend
    return backend


def known() -> list[str]:
    """Names of the backends: the packages beside this file."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted({module.name for module in found if module.ispkg} | _REGISTERED.keys())


def find(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in _REGISTERED and name in known():
        importlib.import_module(f"flowc.backends.{name}.backend")
    if name not in _REGISTERED:
        raise UsageError(f"there is no backend '{shown(name)}'", remedy=f"The known ones are {', '.join(known())}")
    return _REGISTERED[name]


def chosen(given: str | None, target: Target) -> str:
    """The name of the backend that writes a design for a target: what was asked for, else the target's.

    Raises:
        UsageError: there is no such backend, or the target has no tool for it.
    """
    if given is None:
        return "rtl" if target.is_open else "hls"
    find(given)
    if target.is_open and given == "hls":
        raise UsageError(
            f"there is no HLS tool for the family {target.family} of target '{target.name}'",
            remedy="Leave --backend out, or give --backend rtl",
        )
    return given
