"""A loopback batch over time: layer after layer, what the array does and what the external memory moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flowc.report.text import amount, size

__all__ = ["Timeline", "draw_timeline"]

_LEFT, _WIDTH, _ROW, _GAP = 76, 1100, 34, 10
_NAMED = 70
"""Slots at least this wide carry their layer's name."""


class Slot(NamedTuple):
    """A layer: where its time begins and how long it is; how much of it the array, reads and writes take."""

    x: float
    width: float
    compute: float
    read: float | None
    write: float | None
    name: str
    named: bool
    binds: str
    text: str


class Timeline(NamedTuple):
    """The drawing: slots, and ticks of the axis in cycles."""

    width: int
    height: int
    left: int
    row: int
    gap: int
    slots: list[Slot]
    ticks: list[tuple[float, str]]
    cycles: int
    bandwidth: float | None


def draw_timeline(report: Mapping[str, Any]) -> Timeline | None:
    """The drawing; None for dataflow execution, where all layers work at once."""
    if report["execution"] != "loopback" or not report["layers"]:
        return None
    batch, clock = report["batch"], report["clock_mhz"]
    rate = report["traffic"]["available_gbytes_per_s"]
    per_cycle = rate * 1e3 / clock if rate else None
    lengths = [max(1, layer["cycles"] * batch) for layer in report["layers"]]
    total = sum(lengths)
    scale = (_WIDTH - _LEFT - 10) / total
    slots, start = [], 0
    for layer, length in zip(report["layers"], lengths, strict=True):
        read, write = (
            None if per_cycle is None else round(min(length, layer[f"ddr_{way}_bytes"] / per_cycle) * scale, 2)
            for way in ("read", "write")
        )
        width = length * scale
        slots.append(
            Slot(
                round(_LEFT + start * scale, 2),
                round(width, 2),
                round(min(length, layer["compute_cycles"]) * scale, 2),
                read,
                write,
                layer["name"],
                width >= _NAMED,
                layer["binds"],
                f"{amount(length)} cycles, {amount(layer['compute_cycles'])} in the array; reads {size(layer['ddr_read_bytes'])}, "
                f"writes {size(layer['ddr_write_bytes'])}; {layer['binds']} binds",
            )
        )
        start += length
    ticks = [(round(_LEFT + k / 4 * total * scale, 1), amount(k / 4 * total)) for k in range(5)]
    return Timeline(_WIDTH, 3 * (_ROW + _GAP) + 64, _LEFT, _ROW, _GAP, slots, ticks, total, rate)
