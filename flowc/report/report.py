"""report.json and report.html: what a design is, what it costs, and how each figure was got (docs/report-json.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowc import __version__
from flowc.dataflow.allocate import Allocation
from flowc.report.html import render_html
from flowc.streamline.compile import Compiled
from flowc.targets import Target
from flowc.units import InputPort, Mvtu, OutputPort, Unit, Vvtu
from flowc.units.graph import Dataflow

if TYPE_CHECKING:
    from flowc.design.design import Design

__all__ = ["build", "csim_entry", "info", "layer_entry", "write"]

REPORT_SCHEMA = 1
_CSIM_SAMPLES = 4


def build(compiled: Compiled, allocation: Allocation, target: Target) -> dict[str, Any]:
    """The content of report.json, verification and csim still null."""
    graph = allocation.graph
    layers = []
    for unit in graph:
        if not isinstance(unit, InputPort | OutputPort):
            layers.append(layer_entry(unit) | allocation.unit_resources[unit.name].as_dict())
    resources = allocation.resources.as_dict()
    return {
        "schema": REPORT_SCHEMA,
        "flowc": __version__,
        "model": {"name": compiled.name, "sha256": compiled.sha256},
        "target": target.name,
        "part": target.part,
        "clock_mhz": allocation.clock_mhz,
        "execution": "dataflow",
        "fps": allocation.fps,
        "latency_ms": allocation.latency_cycles / allocation.clock_mhz / 1e3
        if allocation.latency_cycles is not None
        else None,
        "interval_cycles": allocation.interval_cycles,
        "bottleneck": allocation.bottleneck,
        "resources": resources,
        "available": dict(allocation.available),
        "fits": allocation.fits,
        "layers": layers,
        "fifos": [
            {
                "from": s.src,
                "to": s.dst,
                "depth": s.depth,
                "width": graph.frame(s).dtype.bits * graph[s.src].out_widths[s.src_port],
            }
            for s in graph.streams
        ],
        "notes": [*compiled.advice, *allocation.notes],
        "certificate": compiled.certificate.as_dict(),
        "verification": None,
        "csim": None,
        "seconds": dict(compiled.seconds),
    }


def layer_entry(unit: Unit) -> dict[str, Any]:
    """One unit's figures; what does not apply to it is null."""
    weights = getattr(unit, "weights", None)
    weight_type = getattr(unit, "weight_type", None)
    acc = getattr(unit, "acc", None)
    source = unit.inputs[0].dtype
    operations = None
    if isinstance(unit, Mvtu | Vvtu):
        # Bit operations of a dot product: a product of w x a bits and an addition of acc bits for every weight.
        operations = unit.macs * (unit.weight_type.bits * source.bits + unit.acc.bits)
    memory = getattr(unit, "memory", None)
    return {
        "name": unit.name,
        "unit": unit.kind,
        "onnx_nodes": list(unit.origin),
        "macs": unit.macs or None,
        "bops": operations,
        "pe": getattr(unit, "pe", None),
        "simd": getattr(unit, "simd", None),
        "cycles": unit.cycles,
        "weights": None if weights is None else int(np.size(weights)),
        "weight_bits": None if weight_type is None else weight_type.bits,
        "input_bits": source.bits,
        "output_bits": unit.outputs[0].dtype.bits,
        "accumulator_bits": None if acc is None else acc.bits,
        "activation": None if getattr(unit, "activation", None) is None else unit.activation.kind,  # type: ignore[attr-defined]
        "memory": None if memory == "auto" else memory,
    }


def info(compiled: Compiled, notes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What `flowc info` shows."""
    graph: Dataflow = compiled.graph
    layers = []
    for unit in graph:
        entry = layer_entry(unit)
        shape = " x ".join(map(str, unit.outputs[0].shape))
        if isinstance(unit, Mvtu | Vvtu):
            layers.append(entry | {"shape": shape})
        elif not isinstance(unit, InputPort | OutputPort):
            layers.append(entry | {"shape": shape, "weights": None})
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


def csim_entry(design: Design, directory: Path) -> dict[str, Any]:
    """Compiles and runs the generated C++, several frames back to back, and compares every output with the emulator.

    Raises:
        MismatchError: an integer differs.
    """
    from flowc.design.csim import check

    return check(design, directory / "hls", samples=_CSIM_SAMPLES)


def write(design: Design, directory: Path) -> None:
    """Writes report.json and report.html."""
    text = json.dumps(design.report, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / "report.json").write_text(text + "\n", encoding="utf-8")
    (directory / "report.html").write_text(render_html(design.report), encoding="utf-8")
