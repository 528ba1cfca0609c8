"""Bars in tables: cycles per layer, bit operations and energy, what FIFOs held, seconds per stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Bar", "Bars", "EnergyRow", "FifoRow", "cycle_bars", "energy_bars", "fifo_bars", "stage_bars"]

Report = Mapping[str, Any]

MOST_ROWS = 2000
"""Rows of a table; what is left out is said."""


class Bar(NamedTuple):
    """A row: name, kind of unit, figure, the part of the scale it fills (0 to 1), and whether it binds."""

    name: str
    kind: str
    value: float
    share: float
    binds: bool = False


class Bars(NamedTuple):
    """Rows and what a full bar stands for."""

    rows: list[Bar]
    full: float
    left_out: int = 0


def _share(value: float | None, full: float) -> float:
    return 0.0 if not value or full <= 0 else max(0.0, min(1.0, value / full))


def cycle_bars(report: Report) -> Bars:
    """Cycles per layer. Dataflow: a full bar is the interval. Loopback: it is the longest layer."""
    layers = report["layers"]
    longest = max((layer["cycles"] for layer in layers), default=0)
    full = max(longest, report["interval_cycles"]) if report["execution"] != "loopback" else longest
    rows = [
        Bar(
            layer["name"],
            layer["unit"],
            layer["cycles"],
            _share(layer["cycles"], full),
            layer["name"] == report["bottleneck"],
        )
        for layer in layers[:MOST_ROWS]
    ]
    return Bars(rows, full, len(layers) - len(rows))


class EnergyRow(NamedTuple):
    """A layer's multiply-accumulates, bit operations and energy, with the shares of the greatest."""

    name: str
    macs: int
    bops: int | None
    bops_share: float
    energy_nj: float | None
    energy_share: float


def energy_bars(report: Report) -> list[EnergyRow]:
    """The layers that multiply."""
    layers = [layer for layer in report["layers"] if layer["macs"]][:MOST_ROWS]
    most_bops = max((layer["bops"] or 0 for layer in layers), default=0)
    most_energy = max((layer.get("energy_nj") or 0.0 for layer in layers), default=0.0)
    return [
        EnergyRow(
            layer["name"],
            layer["macs"],
            layer["bops"],
            _share(layer["bops"], most_bops),
            layer.get("energy_nj"),
            _share(layer.get("energy_nj"), most_energy),
        )
        for layer in layers
    ]


class FifoRow(NamedTuple):
    """A stream: its ends, width, depth, most beats held in the model's simulation and in that of the SystemVerilog."""

    source: str
    sink: str
    width: int
    depth: int
    held: int | None
    held_rtl: int | None
    share: float


def fifo_bars(report: Report) -> list[FifoRow]:
    """FIFOs, the deepest first."""
    rtl = {(f["from"], f["to"]): f["held"] for f in (report.get("rtlsim") or {}).get("fifos") or []}
    rows = []
    for fifo in report["fifos"]:
        ends = fifo["from"], fifo["to"]
        held, seen = fifo.get("held"), rtl.get(ends)
        most = seen if seen is not None else held
        rows.append(FifoRow(*ends, fifo["width"], fifo["depth"], held, seen, _share(most, fifo["depth"] or 0)))
    rows.sort(key=lambda row: -(row.depth or 0))
    return rows[:MOST_ROWS]


def stage_bars(report: Report) -> Bars:
    """Seconds of the stages of the build."""
    seconds = {str(stage): float(value) for stage, value in report["seconds"].items()}
    total = sum(seconds.values())
    longest = max(seconds.values(), default=0.0)
    return Bars([Bar(stage, "", value, _share(value, longest)) for stage, value in seconds.items()], total)
