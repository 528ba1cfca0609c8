"""report.json and report.html: what a design is, what it costs, and how each figure was got (docs/report-json.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowc.report.html import render_html
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units.graph import Dataflow
from flowc.version import __version__

__all__ = ["build", "info", "write"]

REPORT_SCHEMA = 1


def build(compiled: Compiled, plan: Mapping[str, Any], target: Target, notes: Sequence[str]) -> dict[str, Any]:
    """The content of report.json, verification and csim still null.

    Args:
        plan: the plan's own part (`flowc.design.plan.Plan.report`).
        notes: remarks on the plan.
    """
    return {
        "schema": REPORT_SCHEMA,
        "flowc": __version__,
        "model": {"name": compiled.name, "sha256": compiled.sha256},
        "target": target.name,
        "part": target.part,
        **plan,
        "notes": [*compiled.advice, *notes],
        "certificate": compiled.certificate.as_dict(),
        "verification": None,
        "csim": None,
        "rtlsim": None,
        "seconds": dict(compiled.seconds),
    }


def info(compiled: Compiled, notes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What `flowc info` shows."""
    graph: Dataflow = compiled.graph
    layers = []
    for unit in graph:
        if not unit.is_port:
            layers.append(unit.entry() | {"shape": " x ".join(map(str, unit.outputs[0].shape))})
    return {
        "schema": REPORT_SCHEMA,
        "flowc": __version__,
        "model": {"name": compiled.name, "sha256": compiled.sha256},
        "inputs": {n: {"shape": list(s.shape), "dtype": np.dtype(s.dtype).name} for n, s in compiled.inputs.items()},
        "outputs": {n: d.name for n, d in compiled.outputs.items()},
        "macs": sum(u.macs for u in graph),
        "bops": sum(entry["bops"] or 0 for entry in layers),
        "weights": sum(entry["weights"] or 0 for entry in layers),
        "layers": layers,
        "nodes": [{"node": node, "became": text} for node, text in notes],
    }


def write(report: Mapping[str, Any], directory: Path) -> None:
    """Writes report.json and report.html."""
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / "report.json").write_text(text + "\n", encoding="utf-8")
    (directory / "report.html").write_text(render_html(report), encoding="utf-8")
