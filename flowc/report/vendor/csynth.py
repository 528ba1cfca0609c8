"""What C synthesis says of a design: ``csynth.xml``, or ``csynth.rpt`` where that is all there is.

The elements are those that Vitis HLS 2022.1 to 2024.2 writes (UG1399, "Synthesis Summary"): a ``profile`` with the version, what
was asked for, the performance and the area of the top function, the tree of its instances, and both figures for each module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from flowc.report.vendor.source import RESOURCES, Counts, Source
from flowc.report.vendor.xmltext import parse_xml, required

__all__ = ["Estimate", "Module", "parse_csynth_rpt", "parse_csynth_xml"]

_TAGS = {"lut": ("LUT",), "ff": ("FF",), "bram18": ("BRAM_18K",), "uram": ("URAM",), "dsp": ("DSP", "DSP48E")}
_TITLES = {"LUT": "lut", "FF": "ff", "BRAM": "bram18", "URAM": "uram", "DSP": "dsp"}


@dataclass(frozen=True)
class Module:
    """A function of the design.

    Attributes:
        resources: estimated.
        interval_cycles: from one start to the next.
    """

    resources: Counts
    interval_cycles: int | None


@dataclass(frozen=True)
class Estimate:
    """A top function as C synthesis sees it; whatever is not said is None.

    Attributes:
        top: the function.
        tool: with its version.
        part: device.
        target_ns, uncertainty_ns: period asked for, and what of it is kept free for routing.
        estimated_ns: longest path, the uncertainty not in it.
        latency_cycles, interval_cycles: worst case.
        resources: all of it.
        cells: instances in the top function, as named there (or, from ``csynth.rpt``, as their modules are).
    """

    top: str
    tool: str | None
    part: str | None
    target_ns: float | None
    uncertainty_ns: float | None
    estimated_ns: float | None
    latency_cycles: int | None
    interval_cycles: int | None
    resources: Counts
    cells: Mapping[str, Module] = field(default_factory=dict)


def parse_csynth_xml(source: Source) -> Estimate:
    """Raises UsageError where the file is damaged or is none of Vitis HLS."""
    root = parse_xml(source, "profile")
    asked = required(source, root, "UserAssignments")
    performance = required(source, root, "PerformanceEstimates")
    timing, latency = performance.find("SummaryOfTimingAnalysis"), performance.find("SummaryOfOverallLatency")
    version = root.findtext("ReportVersion/Version")
    return Estimate(
        top=required(source, asked, "TopModelName").text or "",
        tool=None if version is None else f"Vitis HLS {version.strip()}",
        part=asked.findtext("Part"),
        target_ns=source.number(asked.findtext("TargetClockPeriod", ""), "a period"),
        uncertainty_ns=source.number(asked.findtext("ClockUncertainty", ""), "an uncertainty"),
        estimated_ns=_period(source, timing),
        latency_cycles=_cycles(source, latency, "Worst-caseLatency"),
        interval_cycles=_cycles(source, latency, "Interval-max"),
        resources=_area(source, root),
        cells=_cells(source, root),
    )


def _period(source: Source, timing: Element | None) -> float | None:
    return None if timing is None else source.number(timing.findtext("EstimatedClockPeriod", ""), "a period")


def _cycles(source: Source, latency: Element | None, tag: str) -> int | None:
    """Cycles, or None: a latency that depends on data is no number."""
    return None if latency is None else source.count(latency.findtext(tag, ""), tag)


def _area(source: Source, of: Element) -> Counts:
    used = required(source, of, "AreaEstimates/Resources")
    counts: Counts = {}
    for name, tags in _TAGS.items():
        texts = [text for tag in tags if (text := used.findtext(tag)) is not None]
        counts[name] = source.count(texts[0], f"a number of {name}") if texts else None
    if counts["lut"] is None:
        source.wrong("says of a function no number of LUT: it is cut off, or of another tool")
    return counts


def _cells(source: Source, root: Element) -> dict[str, Module]:
    modules = {}
    for module in root.findall("ModuleInformation/Module"):
        name = required(source, module, "Name").text or ""
        latency = module.find("PerformanceEstimates/SummaryOfOverallLatency")
        interval = _cycles(source, latency, "PipelineInitiationInterval")
        modules[name] = Module(_area(source, module), interval)
    cells: dict[str, Module] = {}
    for instance in root.findall("RTLDesignHierarchy/TopModule/InstancesList/Instance"):
        of = modules.get(instance.findtext("ModuleName", ""))
        if of is not None:
            cells[instance.findtext("InstName", "")] = of
    return cells


def parse_csynth_rpt(source: Source) -> Estimate:
    """Raises UsageError where the file is damaged or is none of Vitis HLS."""
    table = next((t for t in source.tables() if t.titles and t.titles[0] == "Modules & Loops"), None)
    if table is None or not table.rows:
        source.wrong("holds no table of modules and loops")
    missing = [title for title in ("LUT", "FF", "Interval", "Latency (cycles)") if title not in table.titles]
    if missing:
        source.wrong(f"holds a table of modules without {', '.join(missing)}")
    parsed = []
    for row in table.rows:
        level = len(row[0]) - len(row[0].lstrip())
        sign, _, name = row[0].strip().partition(" ")
        if sign == "+":
            cells = dict(zip(table.titles, row, strict=True))
            counts = {key: _of_part(source, cells.get(title, "")) for title, key in _TITLES.items()}
            parsed.append((level, name.rstrip("*"), cells, {key: counts[key] for key in RESOURCES}))
    if not parsed:
        source.wrong("holds a table of modules without a top function")
    _, top, figures, resources = parsed[0]
    below = min((level for level, *_ in parsed[1:]), default=0)
    return Estimate(
        top=top,
        tool=_tool(source),
        part=_said(source, "Target device"),
        target_ns=None,
        uncertainty_ns=None,
        estimated_ns=None,
        latency_cycles=source.count(figures["Latency (cycles)"], "a latency"),
        interval_cycles=source.count(figures["Interval"], "an interval"),
        resources=resources,
        cells={
            name: Module(counts, source.count(cells["Interval"], "an interval"))
            for level, name, cells, counts in parsed[1:]
            if level == below
        },
    )


def _of_part(source: Source, text: str) -> int | None:
    """A count of a module's column: where none is used, a dash stands."""
    return 0 if text.strip() == "-" else source.count(text, "a number of resources")


def _said(source: Source, title: str) -> str | None:
    found = re.search(rf"^ *\* {title}: +(\S+)", source.text, re.MULTILINE)
    return None if found is None else found[1]


def _tool(source: Source) -> str | None:
    version = _said(source, "Version")
    return None if version is None else f"Vitis HLS {version}"
