"""Builds side by side: what differs in rate, resources and layers (docs/report-json.md, "Comparisons")."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from flowc.report.text import number, percent

__all__ = ["FIGURES", "Comparison", "Figure", "LayerRow", "compare"]

Report = Mapping[str, Any]

_TENFOLD = 9


@dataclass(frozen=True)
class Kind:
    """A figure that builds are compared by: key, name, unit, and whether more or less of it is better (or neither)."""

    key: str
    name: str
    unit: str
    better: str | None
    of: Callable[[Report], Any]


def _unexplained(report: Report) -> int | None:
    found = report["verification"]
    return None if found is None else found["mismatches"] - found["explained_by_ambiguous"]


def _resource(key: str) -> Callable[[Report], Any]:
    return lambda report: report["resources"].get(key)


FIGURES = (
    Kind("fps", "frames per second", "", "more", lambda r: r["fps"]),
    Kind("latency_ms", "latency", "ms", "less", lambda r: r["latency_ms"]),
    Kind("interval_cycles", "cycles per frame", "", "less", lambda r: r["interval_cycles"]),
    Kind("clock_mhz", "clock", "MHz", None, lambda r: r["clock_mhz"]),
    Kind("lut", "LUT", "", "less", _resource("lut")),
    Kind("ff", "FF", "", "less", _resource("ff")),
    Kind("bram18", "BRAM18", "", "less", _resource("bram18")),
    Kind("uram", "URAM", "", "less", _resource("uram")),
    Kind("dsp", "DSP", "", "less", _resource("dsp")),
    Kind("energy_uj", "energy per frame, estimate", "µJ", "less", lambda r: (r.get("energy") or {}).get("per_image_uj")),
    Kind("traffic_bytes", "external bytes per frame", "B", "less", lambda r: (r.get("traffic") or {}).get("bytes_per_image")),
    Kind("ambiguous_share", "accumulator values left open", "", "less", lambda r: r["certificate"]["ambiguous_value_share"]),
    Kind("mismatches", "unexplained mismatches", "", "less", _unexplained),
)  # fmt: skip
"""What builds are compared by, in the order of tables."""

_PER_LAYER = (
    "cycles",
    "pe",
    "simd",
    "pixels",
    "weight_bits",
    "input_bits",
    "output_bits",
    "accumulator_bits",
    "lut",
    "ff",
    "bram18",
    "uram",
    "dsp",
)


@dataclass(frozen=True)
class Figure:
    """A figure of each build, and the change from the first: (value - first) / first, None where that is not known."""

    key: str
    name: str
    unit: str
    better: str | None
    values: list[Any]
    changes: list[float | None]

    def text(self, index: int) -> str:
        """The figure of a build as it is read."""
        value = self.values[index]
        if self.key == "ambiguous_share":
            return percent(value)
        return number(value) + (f" {self.unit}" if self.unit and value is not None else "")

    def change(self, index: int) -> str:
        """The change of a build as it is read, ``+4.2%`` or ``17x``; empty where there is none, or it is not known."""
        change = self.changes[index]
        if not change:
            return ""
        return f"{100 * change:+.3g}%" if change < _TENFOLD else f"{1 + change:,.3g}x"

    def good(self, index: int) -> bool | None:
        """Whether the change of a build is for the better; None where it is neither."""
        change = self.changes[index]
        if not change or self.better is None:
            return None
        return (change > 0) == (self.better == "more")


@dataclass(frozen=True)
class LayerRow:
    """A layer that is not the same in all builds: per figure the value of each build; None where it has no such layer or figure."""

    name: str
    there: list[bool]
    values: dict[str, list[Any]]


@dataclass(frozen=True)
class Comparison:
    """Builds side by side.

    Attributes:
        builds: per build its name, model, target, execution, bottleneck, whether it fits, and the flowc that made it.
        figures: those that are known of any build.
        layers: layers that differ.
        same: how many do not.
    """

    builds: list[dict[str, Any]]
    figures: list[Figure]
    layers: list[LayerRow] = field(default_factory=list)
    same: int = 0

    def figure(self, key: str) -> Figure:
        """One of the figures. Raises KeyError where no build knows it."""
        return {f.key: f for f in self.figures}[key]

    def as_dict(self) -> dict[str, Any]:
        """What ``flowc report A B --json`` prints."""
        return {"schema": 1, **asdict(self)}


def compare(reports: Sequence[Report], names: Sequence[str]) -> Comparison:
    """The builds of some reports side by side; changes are from the first."""
    builds = [
        {
            "name": name,
            "model": report["model"]["name"],
            "sha256": report["model"]["sha256"],
            "target": report["target"],
            "execution": report["execution"],
            "bottleneck": report["bottleneck"],
            "fits": report["fits"],
            "flowc": report["flowc"],
        }
        for name, report in zip(names, reports, strict=True)
    ]
    figures = [_figure(kind, reports) for kind in FIGURES]
    named = [{layer["name"]: layer for layer in report["layers"]} for report in reports]
    layers = [_row(name, named) for name in dict.fromkeys(name for each in named for name in each)]
    differing = [row for row in layers if not all(row.there) or any(_differ(values) for values in row.values.values())]
    return Comparison(
        builds,
        [f for f in figures if any(value is not None for value in f.values)],
        [LayerRow(r.name, r.there, {k: v for k, v in r.values.items() if _differ(v)}) for r in differing],
        len(layers) - len(differing),
    )


def _figure(kind: Kind, reports: Sequence[Report]) -> Figure:
    values = [kind.of(report) for report in reports]
    return Figure(kind.key, kind.name, kind.unit, kind.better, values, [_change(values[0], value) for value in values])


def _change(first: Any, value: Any) -> float | None:
    if first is None or value is None:
        return None
    if first == value:
        return 0.0
    change = (value - first) / first if first else math.inf
    return change if math.isfinite(change) else None


def _row(name: str, named: Sequence[Mapping[str, Report]]) -> LayerRow:
    found = [layers.get(name) for layers in named]
    values = {key: [None if layer is None else layer.get(key) for layer in found] for key in _PER_LAYER}
    return LayerRow(name, [layer is not None for layer in found], values)


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values)
