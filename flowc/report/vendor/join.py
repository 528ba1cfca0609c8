"""The figures of vendor tools beside the modelled ones, per layer and whole, and how far the two lie apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flowc.errors import UsageError, shown
from flowc.report.vendor.collect import Collected, Exported, Implemented
from flowc.report.vendor.csynth import Estimate
from flowc.report.vendor.source import LONGEST_PATH, RESOURCES, Counts
from flowc.report.vendor.vivado import Cell, Heading, Timing

__all__ = ["STAGES", "join"]

STAGES = ("estimated", "synthesized", "placed")
"""What figures are of: C synthesis, Vivado's synthesis, Vivado after placement."""

_REST = "rest"


def join(
    found: Collected, report: Mapping[str, Any], top: str, cells: Mapping[str, Sequence[str]], alone: Mapping[str, str],
    cell: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The part ``vendor`` of report.json (docs/report-json.md).

    Args:
        found: the reports.
        report: content of report.json.
        top: name of the top function, or module.
        cells: unit to the names of its instances in the top module.
        alone: top function of a project for a unit alone to the unit.
        cell: the accelerator's in a system around it, where it has no units to be told by.

    Raises:
        UsageError: a report is of another device.
    """
    notes = list(found.skipped)
    _same_part(found, report["part"])
    owner = {cell: unit for unit, names in cells.items() for cell in names}
    whole, units = _whole(found, top, owner, cell, notes)
    for path, estimate in found.estimates:
        if estimate.top in alone:
            units["estimated"].setdefault(alone[estimate.top], estimate.resources)
        elif estimate.top != top:
            notes.append(
                f"'{shown(path.name)}' is of '{shown(estimate.top)}', which is no part of this design: not used"
            )
    for exported in found.exported:
        unit = alone.get(_project(exported))
        if unit is not None:
            units[exported.stage].setdefault(unit, exported.resources)
    layers = [
        {
            "name": layer["name"],
            "unit": layer["unit"],
            "modelled": {key: layer[key] for key in RESOURCES},
            **{stage: units[stage].get(layer["name"]) for stage in STAGES},
        }
        for layer in report["layers"]
    ]
    return {
        "files": found.files,
        "modelled": {
            "resources": {key: report["resources"][key] for key in RESOURCES},
            "interval_cycles": report["interval_cycles"],
            "mhz": report["clock_mhz"],
        },
        **whole,
        "layers": layers,
        "errors": _errors([*layers, *_rest(layers, report["resources"], whole)]),
        "notes": notes,
    }


def _whole(
    found: Collected, top: str, owner: Mapping[str, str], cell: str | None, notes: list[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Counts]]]:
    """(figures of the whole accelerator per stage, resources of units per stage)."""
    whole: dict[str, Any] = dict.fromkeys(STAGES)
    units: dict[str, dict[str, Counts]] = {stage: {} for stage in STAGES}
    for _, estimate in found.estimates:
        if estimate.top == top and whole["estimated"] is None:
            whole["estimated"] = _estimated(estimate)
            _sum(units["estimated"], owner, ((name, module.resources) for name, module in estimate.cells.items()))
    for report in sorted(
        found.utilizations, key=lambda r: not r.root.children
    ):  # hierarchical ones first: they say more
        stage = report.heading.stage
        if stage is None:
            notes.append(f"'{shown(report.path.name)}' does not say whether it is of a placed design: not used")
        elif whole[stage] is None:
            inside = _accelerator(report, owner, cell)
            timing = next((t.timing for t in found.timings if _goes_with(t.heading, report.heading)), None)
            at = report.root if inside is None else inside
            system = None if at is report.root else report.root.resources
            whole[stage] = _implemented(report.heading.tool, at.resources, system, timing)
            if inside is not None:
                _sum(units[stage], owner, ((child.name, child.resources) for child in inside.children))
            elif report.root.children and owner:
                notes.append(
                    f"'{shown(report.path.name)}' names none of the design's units: was the hierarchy flattened?"
                )
    for exported in found.exported:
        if _project(exported) == top and whole[exported.stage] is None:
            whole[exported.stage] = _implemented(None, exported.resources, None, exported.timing)
    return whole, units


def _accelerator(report: Implemented, owner: Mapping[str, str], name: str | None) -> Cell | None:
    """The cell of a name, or that which has the most of the design's units in it; None where there is none."""
    if name is not None:
        return next((cell for cell in report.root.walk() if cell.name == name), None)
    best = max(
        report.root.walk(), key=lambda cell: sum(_unit(child.name, owner) is not None for child in cell.children)
    )
    return best if any(_unit(child.name, owner) for child in best.children) else None


def _goes_with(timing: Heading, utilization: Heading) -> bool:
    """Whether a timing summary is of the stage and design of a utilization report; older versions don't say the stage."""
    return timing.design == utilization.design and timing.stage in (None, utilization.stage)


def _sum(units: dict[str, Counts], owner: Mapping[str, str], cells: Iterable[tuple[str, Counts]]) -> None:
    """Adds the resources of instances to those of their units."""
    for name, counts in cells:
        unit = _unit(name, owner)
        if unit is not None:
            before = units.get(unit)
            units[unit] = counts if before is None else {key: _plus(before[key], counts[key]) for key in RESOURCES}


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _unit(cell: str, owner: Mapping[str, str]) -> str | None:
    """The unit of an instance: Vitis HLS adds ``_U0`` to a process, ``grp_`` and ``_fu_1`` to a call, and may add the namespace."""
    bare = re.sub(r"_U\d+$", "", cell)
    bare = re.sub(r"^grp_(.+)_fu_\d+$", r"\1", bare)
    for name in (cell, bare, bare.removeprefix("layers_"), bare.removesuffix("_s")):
        if name in owner:
            return owner[name]
    return None


def _project(exported: Exported) -> str:
    """Top function of the project that an export lies in: PROJECT/solution/impl/report/verilog/export_syn.xml."""
    folder = exported.path.resolve().parents[4].name if len(exported.path.resolve().parents) > 4 else ""
    return folder.removeprefix("vitis_")


def _estimated(estimate: Estimate) -> dict[str, Any]:
    asked, left, path = estimate.target_ns, estimate.uncertainty_ns, estimate.estimated_ns
    return {
        "tool": estimate.tool,
        "resources": estimate.resources,
        "interval_cycles": estimate.interval_cycles,
        "latency_cycles": estimate.latency_cycles,
        "target_ns": asked,
        "uncertainty_ns": left,
        "estimated_ns": path,
        "mhz": 1e3 / (path + (left or 0)) if path else None,
    }


def _implemented(tool: str | None, resources: Counts, system: Counts | None, timing: Timing | None) -> dict[str, Any]:
    return {
        "tool": tool,
        "resources": resources,
        "system": system,
        "mhz": None if timing is None else timing.mhz,
        "timing": None if timing is None else asdict(timing),
    }


def _rest(
    layers: Sequence[Mapping[str, Any]], modelled: Mapping[str, Any], whole: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What is in no layer, FIFOs and ports: the whole less its layers, where all of them are known."""

    def less(total: Mapping[str, Any], stage: str) -> Counts | None:
        parts = [layer[stage] for layer in layers]
        if any(part is None for part in parts):
            return None
        known = [(key, [part[key] for part in parts]) for key in RESOURCES]
        return {key: None if total[key] is None or None in of else total[key] - sum(of) for key, of in known}

    entry: dict[str, Any] = {"name": _REST, "unit": _REST, "modelled": less(modelled, "modelled")}
    if entry["modelled"] is None:
        return []
    return [entry | {s: None if whole[s] is None else less(whole[s]["resources"], s) for s in STAGES}]


def _errors(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per unit kind, stage and resource: the sums over the layers that both know, and their relative difference."""
    errors = []
    for unit in dict.fromkeys(layer["unit"] for layer in layers):
        for stage in STAGES:
            known = [layer for layer in layers if layer["unit"] == unit and layer[stage] is not None]
            for key in RESOURCES:
                both = [(a[key], b[key]) for layer in known for a, b in [(layer["modelled"], layer[stage])]]
                both = [(a, b) for a, b in both if a is not None and b is not None]
                if both:
                    modelled, measured = (sum(values) for values in zip(*both, strict=True))
                    errors.append(
                        {
                            "unit": unit,
                            "stage": stage,
                            "resource": key,
                            "layers": len(both),
                            "modelled": modelled,
                            "measured": measured,
                            "error": (modelled - measured) / measured if measured else None,
                        }
                    )
    return errors


def _same_part(found: Collected, part: str) -> None:
    """Raises UsageError where a report names another device: Vivado's older versions leave out the dashes, and ``xc``."""
    named = [(path, estimate.part) for path, estimate in found.estimates]
    named += [(r.path, r.heading.device) for r in found.utilizations]
    named += [(r.path, r.heading.device) for r in found.timings]
    for path, device in named:
        if device and not (_plain(device).startswith(_plain(part)) or _plain(part).startswith(_plain(device))):
            raise UsageError(
                f"report '{shown(str(path), LONGEST_PATH)}' is of the part {shown(device)}; the design is for {part}",
                remedy="Import the reports of this build",
            )


def _plain(part: str) -> str:
    return re.sub(r"[^a-z0-9]", "", part.lower()).removeprefix("xc")
