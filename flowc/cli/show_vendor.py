"""What ``flowc report import`` prints: modelled figures beside those of vendor tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowc.cli.tables import RESOURCES, count, figure, new_console, new_table, pairs, text

__all__ = ["vendor"]

_STAGES = ("estimated", "synthesized", "placed")


def vendor(found: Mapping[str, Any]) -> None:
    """The whole, the layers, and the error per unit kind of a report's part ``vendor``."""
    console = new_console()
    known = [stage for stage in _STAGES if found[stage] or any(layer[stage] for layer in found["layers"])]
    table = new_table("layer", "unit", *(f"{name}>" for _, name in RESOURCES))
    for layer in [_whole(found, known), *found["layers"]]:
        table.add_row(text(layer["name"]), layer["unit"], *(_side_by_side(layer, key, known) for key, _ in RESOURCES))
    console.print(table)
    console.print()
    _errors(console, found["errors"])
    console.print()
    columns = ("columns", " / ".join(["modelled", *known]))
    pairs(console, [columns, *_lines(found), *(("note", note) for note in found["notes"])])


def _whole(found: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    parts = {stage: found[stage]["resources"] if found[stage] else None for stage in known}
    return {"name": "accelerator", "unit": "-", "modelled": found["modelled"]["resources"], **parts}


def _side_by_side(layer: Mapping[str, Any], key: str, known: Sequence[str]) -> str:
    return " / ".join(count(layer[stage][key] if layer[stage] else None, "-") for stage in ("modelled", *known))


def _errors(console: Any, errors: Sequence[Mapping[str, Any]]) -> None:
    """A line per unit kind and stage; what modelled figures are above (+) or below (-) the tool's."""
    table = new_table("unit", "of", "layers>", *(f"{name} error>" for _, name in RESOURCES))
    for unit, stage in dict.fromkeys((entry["unit"], entry["stage"]) for entry in errors):
        by = {e["resource"]: e for e in errors if e["unit"] == unit and e["stage"] == stage}
        layers = max(entry["layers"] for entry in by.values())
        table.add_row(unit, stage, count(layers), *(_error(by.get(key)) for key, _ in RESOURCES))
    console.print(table)


def _error(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "-"
    if entry["error"] is None:
        return "0" if entry["modelled"] == 0 else f"{count(entry['modelled'])} for 0"
    return f"{100 * entry['error']:+.1f}%"


def _lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [
        (
            "modelled",
            f"{count(found['modelled']['interval_cycles'])} cycles per frame at {found['modelled']['mhz']:g} MHz",
        )
    ]
    for stage in _STAGES:
        whole = found[stage]
        if whole is not None:
            rate = f"{figure(whole['mhz'])} MHz" if whole["mhz"] else "clock unknown"
            if "interval_cycles" in whole:
                rate = f"{count(whole['interval_cycles'])} cycles per frame, {rate}"
            lines.append((stage, f"{rate} ({whole['tool'] or 'vendor tool'})"))
    return [*lines, ("read", ", ".join(entry["path"] for entry in found["files"]))]
