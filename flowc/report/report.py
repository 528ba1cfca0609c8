"""report.json and report.html: what a design is, what it costs, and how each figure was got (docs/report-json.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from flowc.errors import UsageError, shown
from flowc.files import manifest
from flowc.files.read import read_file
from flowc.files.rows import in_rows
from flowc.files.write import write_files
from flowc.report.activations import staircases
from flowc.report.page.render import render_html
from flowc.report.summary import Info, Report
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units.graph import Dataflow
from flowc.version import __version__

__all__ = ["build", "info", "read", "update", "write"]

REPORT_SCHEMA = 1
_LARGEST = 200_000_000


def build(
    compiled: Compiled, plan: Mapping[str, Any], target: Target, notes: Sequence[str], command: str | None = None
) -> Report:
    """The content of report.json, verification and csim still null.

    Args:
        plan: the plan's own part (`flowc.design.plan.Plan.report`).
        notes: remarks on the plan.
        command: what to type for the same design; None: not known.
    """
    content = {
        "schema": REPORT_SCHEMA,
        "flowc": __version__,
        "command": command,
        "model": {"name": compiled.name, "sha256": compiled.sha256},
        "target": target.name,
        "part": target.part,
        **plan,
        "notes": [*compiled.advice, *notes],
        "certificate": compiled.certificate.as_dict(),
        "activations": staircases(compiled.graph, compiled.windows),
        "verification": None,
        "csim": None,
        "rtlsim": None,
        "synthesis": None,
        "place": None,
        "vendor": None,
        "seconds": dict(compiled.seconds),
    }
    return Report(content)


def info(compiled: Compiled, notes: Sequence[tuple[str, str]]) -> Info:
    """What `flowc info` shows."""
    graph: Dataflow = compiled.graph
    layers = []
    for unit in graph:
        if not unit.is_port:
            layers.append(unit.entry() | {"shape": " x ".join(map(str, unit.outputs[0].shape))})
    content = {
        "schema": REPORT_SCHEMA,
        "flowc": __version__,
        "model": {"name": compiled.name, "sha256": compiled.sha256},
        "compiles": True,
        "reason": None,
        "inputs": {n: {"shape": list(s.shape), "dtype": np.dtype(s.dtype).name} for n, s in compiled.inputs.items()},
        "outputs": {n: d.name for n, d in compiled.outputs.items()},
        "macs": sum(u.macs for u in graph),
        "bops": sum(entry["bops"] or 0 for entry in layers),
        "weights": sum(entry["weights"] or 0 for entry in layers),
        "layers": layers,
        "nodes": [{"node": node, "became": text} for node, text in notes],
    }
    return Info(content)


def read(directory: Path) -> Report:
    """The report of the design in a folder.

    Raises:
        UsageError: there is none, or it is not one of this version's schema.
    """
    data = read_file(directory / "report.json", "report", UsageError, most=_LARGEST)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"report.json in '{shown(str(directory))}' is damaged: {error}", remedy="Build the design again"
        ) from error
    if not isinstance(content, dict) or content.get("schema") != REPORT_SCHEMA:
        raise UsageError(
            f"report.json in '{shown(str(directory))}' is no report of schema {REPORT_SCHEMA}",
            remedy="Name the folder of a build: flowc build MODEL --target NAME -o DIR",
        )
    return Report(content)


def write(report: Mapping[str, Any], directory: Path) -> None:
    """Writes report.json and report.html."""
    for name, data in _files(report).items():
        (directory / name).write_bytes(data)


def update(report: Mapping[str, Any], directory: Path) -> None:
    """Writes report.json and report.html of a design again, whole or not at all, and notes that they are flowc's own.

    Raises:
        UsageError: they can't be written, or the report is not one of this version's.
    """
    try:
        contents = _files(report)
    except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise UsageError(
            f"report.json in '{shown(str(directory))}' is damaged: {error}", remedy="Build the design again"
        ) from error
    write_files({directory / name: data for name, data in contents.items()})
    manifest.record(directory, contents)


def _files(report: Mapping[str, Any]) -> dict[str, bytes]:
    return {"report.json": in_rows(report).encode(), "report.html": render_html(report).encode()}
