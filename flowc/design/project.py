"""Everything a build leaves behind, written into an empty directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowc.design.assembly import Assembly
from flowc.design.plan import ProjectInfo
from flowc.design.store import write_assembly
from flowc.version import __version__

__all__ = ["write_project"]


def write_project(design: Assembly, model: Mapping[str, Any], directory: Path) -> None:
    """Writes the design and what the plan writes: generated code, scripts and driver; all but the report.

    Args:
        model: the entry ``model`` of report.json.
        directory: exists and is empty.
    """
    write_assembly(design, directory)
    design.plan.write(directory, _info(design, model))


def _info(design: Assembly, model: Mapping[str, Any]) -> ProjectInfo:
    target, clock = design.target, design.plan.clock_mhz
    return ProjectInfo(
        header=f"flowc {__version__}: {model['name']} (sha256 {model['sha256'][:16]}) for {target.name} at {clock:g} MHz",
        results={name: dtype.name for name, dtype in design.outputs.items()},
        host={
            name: part.model.SerializeToString(deterministic=True)
            for name, part in (("head.onnx", design.head), ("tail.onnx", design.tail))
            if part is not None
        },
        samples=design.to_ports({} if design.head is None else design.head.run_one(design.samples(1, 0))),
    )
