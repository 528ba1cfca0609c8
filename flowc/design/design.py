"""A finished design: run it, verify it, save it, load it again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowc.design.assembly import Assembly
from flowc.design.project import write_project
from flowc.design.store import DESIGN_SCHEMA, read_assembly
from flowc.errors import UsageError, shown
from flowc.files.outdir import staged_output
from flowc.report.report import write
from flowc.report.summary import Report, Summary
from flowc.units.base import Array

if TYPE_CHECKING:
    from flowc.design.layers import Layers

__all__ = ["DESIGN_SCHEMA", "Design", "load"]


@dataclass(eq=False, repr=False)
class Design(Assembly):
    """A network compiled for a board: a plan with its host parts, its reference and its report.

    Attributes:
        report: the content of ``report.json``.
        directory: where the design was written, or None.
        notes: (ONNX node, what became of it).
    """

    report: dict[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        where = "" if self.directory is None else f" in {shown(str(self.directory))}"
        return f"<flowc design{where}: {Report(self.report).summary}>"

    def _repr_html_(self) -> str:
        return Report(self.report)._repr_html_()

    @property
    def layers(self) -> Layers:
        """The units by name: ``design.layers["conv1"].activations(x)``, ``.histogram()``."""
        from flowc.design.layers import Layers

        return Layers(self, self.report)

    def summary(self) -> Summary:
        """The layers with their shapes, bits and costs, the totals, and what binds: shown as text, or as a table in a notebook."""
        return Summary(self.report, {u.name: u.outputs[0].shape for u in self.graph if u.outputs})

    @classmethod
    def of(cls, assembly: Assembly, **more: Any) -> Design:
        """The design of an assembly."""
        return cls(**{f.name: getattr(assembly, f.name) for f in fields(Assembly)}, **more)

    def run(self, x: Array | Mapping[str, Array], *, emulator: str | None = None) -> Any:
        """Emulates the design on a batch.

        Args:
            x: (N, ...) for a model with one input, or an array per input name.
            emulator: "native" (compiled kernels), "numpy", or None: kernels where a C++ compiler is found. All give the same.

        Returns:
            What onnxruntime would give, samples stacked: an array for a model with one output, else a dict.

        Raises:
            UsageError: an input is missing, or of another shape or dtype; "native" is wanted and can't be had, or ``emulator`` is neither.
        """
        inputs = self.as_inputs(x)
        outputs = self.run_all(inputs, emulator=emulator)
        return outputs if len(outputs) != 1 else next(iter(outputs.values()))

    def verify(
        self,
        x: Array | Mapping[str, Array] | Iterator[Mapping[str, Array]] | None = None,
        *,
        samples: int = 4,
        seed: int = 0,
        emulator: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Compares the emulated design with the reference under onnxruntime, tensor by tensor; kept in the report.

        Args:
            x: inputs; random ones if None; or an iterator over inputs, for sets larger than memory.
            samples, seed: how many random ones.
            emulator: as of `run`.
            progress: told how many of how many samples are compared; of an iterator, those seen so far.

        Raises:
            MismatchError: a value differs and no ambiguity explains it.
            UsageError: there is no sample; or as of `run`.
        """
        from flowc.design.verify import compare  # with all that explains differences

        inputs: Mapping[str, Array] | Iterator[Mapping[str, Array]]
        if isinstance(x, Iterator):
            inputs = (self.as_inputs(chunk) for chunk in x)
        else:
            inputs = self.samples(samples, seed) if x is None else self.as_inputs(x)
        found = compare(self, inputs, emulator=emulator, progress=progress)
        result = found.as_dict("onnxruntime")
        self.report["verification"] = result
        if found.failing:
            raise found.error(result["values"])
        return result

    def csim(self, x: Array | Mapping[str, Array]) -> Any:
        """The same as `run`, computed by the generated code under its simulator (for HLS C++: compiled with g++).

        Raises:
            UsageError: the design was not written, or a tool that the simulation needs is missing.
        """
        if self.directory is None:
            raise UsageError("the design has no generated code", remedy="Save it first")
        inputs = self.as_inputs(x)
        heads = self.run_head(inputs)
        simulated = self.plan.simulate(self.directory, self.to_ports(heads))
        outputs = self.finish(inputs, heads, self.from_ports(simulated.frames))
        return outputs if len(outputs) != 1 else next(iter(outputs.values()))

    def save(self, directory: str | os.PathLike[str], *, force: bool = False) -> None:
        """Writes the whole project: report, design, generated code, scripts and driver.

        Raises:
            UsageError: the directory can't be written, or holds something else and ``force`` is off.
        """
        with staged_output(directory, force=force) as staging:
            write_project(self, self.report["model"], staging)
            write(self.report, staging)
        self.directory = Path(directory)


def load(directory: str | os.PathLike[str]) -> Design:
    """Loads a design that flowc wrote; the original ONNX file is not needed.

    Raises:
        UsageError: the directory is no complete flowc design.
    """
    folder = Path(directory)
    assembly, report = read_assembly(folder)
    return Design.of(assembly, report=report, directory=folder)
