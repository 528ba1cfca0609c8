"""Resources of a design stacked by kind of unit, against what the device has and what may be used of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["FAMILIES", "Stack", "family", "stack_resources"]

Report = Mapping[str, Any]

_RESOURCES = (
    ("lut", "LUT", "look-up tables"),
    ("ff", "FF", "flip-flops"),
    ("bram18", "BRAM18", "block RAMs of 18 kbit"),
    ("uram", "URAM", "UltraRAMs of 288 kbit"),
    ("dsp", "DSP", "multipliers"),
)
FAMILIES = {
    "compute": "products",
    "window": "windows and padding",
    "pool": "pools and sums",
    "element": "activations and joins",
    "route": "routing",
    "fifo": "FIFOs",
    "engine": "engine",
}
"""Kinds of units that share a colour, and what the legend calls them."""

_KINDS = {
    "mvtu": "compute", "vvtu": "compute", "lookup": "compute",
    "window": "window", "pad": "window", "pixel_pad": "window",
    "pool": "pool", "global_sum": "pool", "argmax": "pool",
    "activate": "element", "join": "element",
}  # fmt: skip


def family(kind: str) -> str:
    """The key in `FAMILIES` of a kind of unit."""
    return _KINDS.get(kind, "route")


class Segment(NamedTuple):
    """A part of a stack: family, amount, and where it begins and how long it is, as shares of the scale."""

    family: str
    amount: int
    start: float
    length: float


class Stack(NamedTuple):
    """One resource.

    Attributes:
        key, name, long: as report.json and people call it.
        used, available, allowed: amounts; `used` is None where it is not known.
        share: of what may be used; None where nothing may.
        measured: what synthesis counted, or None.
        segments: by family.
        device, limit: where the device and the limit end, as shares of the scale.
        biggest: the three biggest consumers and their amounts.
    """

    key: str
    name: str
    long: str
    used: int | None
    available: int
    allowed: int | None
    share: float | None
    measured: int | None
    segments: list[Segment]
    device: float
    limit: float | None
    biggest: list[tuple[str, int]]


def stack_resources(report: Report) -> list[Stack]:
    """A stack for each resource that the device has or the design uses."""
    stacks = (_stack(report, *names) for names in _RESOURCES)
    return [s for s in stacks if s.used or s.available]


def _stack(report: Report, key: str, name: str, long: str) -> Stack:
    used, available = report["resources"].get(key), report["available"].get(key) or 0
    allowed = (report.get("budget") or {}).get(key)
    scale = max(used or 0, available, 1)
    amounts = _amounts(report, key)
    segments, at = [], 0.0
    for kind in FAMILIES:
        if amounts.get(kind):
            length = amounts[kind] / scale
            segments.append(Segment(kind, amounts[kind], at, length))
            at += length
    biggest = sorted(((layer[key], layer["name"]) for layer in report["layers"] if layer.get(key)), reverse=True)[:3]
    measured = ((report.get("synthesis") or {}).get("resources") or {}).get(key)
    return Stack(
        key,
        name,
        long,
        used,
        available,
        allowed,
        used / allowed if used is not None and allowed else None,
        measured,
        segments,
        available / scale,
        None if allowed is None else allowed / scale,
        [(unit, count) for count, unit in biggest],
    )


def _amounts(report: Report, key: str) -> dict[str, int]:
    """What each family takes; units of a loopback design have nothing of their own: the engine has it all."""
    total = report["resources"].get(key) or 0
    if report["execution"] == "loopback":
        return {"engine": total}
    found: dict[str, int] = {}
    for layer in report["layers"]:
        found[family(layer["unit"])] = found.get(family(layer["unit"]), 0) + (layer.get(key) or 0)
    fifos = (report.get("fifo_resources") or {}).get(key)
    rest = total - sum(found.values())
    found["fifo"] = fifos if fifos is not None else max(0, rest)
    found["route"] = found.get("route", 0) + (max(0, rest - fifos) if fifos is not None else 0)
    return found
