"""Utilization and timing of Vivado.

From ``report_utilization``, flat and hierarchical, from ``report_timing_summary``, and from what ``export_design`` of Vitis HLS writes
when it runs Vivado itself (``export_syn.xml``, ``export_impl.xml``).

The tables are those of UG906 (Vivado, Design Analysis and Closure), of 7 series and UltraScale+ devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flowc.report.vendor.source import RESOURCES, Counts, Source, Table
from flowc.report.vendor.xmltext import parse_xml, required

__all__ = ["Cell", "Heading", "Timing", "parse_exported", "parse_heading", "parse_timing", "parse_utilization"]

_HEADING = re.compile(r"^\| (Tool Version|Command|Design|Device|Design State) *: *(.*?) *$", re.MULTILINE)
_TOP = 20_000  # characters in which the heading lies
_SYNTHESIZED = ("synthesized", "optimized")
_FLAT = {
    "lut": ("CLB LUTs", "Slice LUTs"),
    "ff": ("CLB Registers", "Slice Registers"),
    "tiles": ("Block RAM Tile",),
    "uram": ("URAM",),
    "dsp": ("DSPs",),
}
_DEEP = {"lut": "Total LUTs", "ff": "FFs", "ramb36": "RAMB36", "ramb18": "RAMB18"}
_OF_CLOCK = 13  # words of a clock's line: its name, and setup, hold and pulse width with four figures each


@dataclass(frozen=True)
class Heading:
    """The frame at the top of a report: what was run, on what, when in the flow.

    Attributes:
        tool: with its version, None where it is not said.
        command: as it was given.
        design: name of the top module.
        device: part, as far as Vivado spells it out.
        stage: "synthesized", "placed", or None.
    """

    tool: str | None
    command: str
    design: str | None
    device: str | None
    stage: str | None


@dataclass(frozen=True)
class Cell:
    """An instance, with everything in it.

    Attributes:
        name: of the instance.
        module: that it is one of.
        resources: with those of its children.
        children: instances in it.
    """

    name: str
    module: str
    resources: Counts
    children: list[Cell] = field(default_factory=list)

    def walk(self) -> Iterator[Cell]:
        """It and all below it, outermost first."""
        waiting = [self]
        while waiting:
            cell = waiting.pop()
            yield cell
            waiting.extend(reversed(cell.children))


@dataclass(frozen=True)
class Timing:
    """Slacks in ns; a clock of the design that has the most endpoints stands for all of it.

    Attributes:
        wns_ns, tns_ns, whs_ns, ths_ns: worst and total slack, setup and hold.
        failing: endpoints that miss setup.
        clock: name of the clock.
        period_ns: its period.
        mhz: what the period without its own slack comes to.
    """

    wns_ns: float | None
    tns_ns: float | None
    whs_ns: float | None
    ths_ns: float | None
    failing: int | None
    clock: str | None
    period_ns: float | None
    mhz: float | None


def parse_heading(source: Source) -> Heading | None:
    """The heading; None where the file is no report of Vivado."""
    said = dict(_HEADING.findall(source.text[:_TOP]))
    if "Command" not in said:
        return None
    state = said.get("Design State", "").lower()
    stage = None if not state else "synthesized" if state.startswith(_SYNTHESIZED) else "placed"
    version = re.match(r"Vivado v\.?(\S+)", said.get("Tool Version", ""))
    tool = None if version is None else f"Vivado {version[1]}"
    return Heading(tool, said["Command"], said.get("Design"), said.get("Device"), stage)


def parse_utilization(source: Source) -> Cell:
    """The design's root; with ``-hierarchical`` it has children.

    Raises:
        UsageError: the file is cut off, or its tables are none of utilization.
    """
    tables = list(source.tables())
    deep = next((t for t in tables if t.titles[:2] == ("Instance", "Module")), None)
    return _flat(source, tables) if deep is None else _deep(source, deep)


def _flat(source: Source, tables: Sequence[Table]) -> Cell:
    found: dict[str, str] = {}
    for table in tables:
        if table.titles[:2] == ("Site Type", "Used"):
            for row in table.rows:
                found.setdefault(row[0].strip().rstrip("*"), row[1])
    texts = {key: next((found[name] for name in names if name in found), None) for key, names in _FLAT.items()}
    missing = [_FLAT[key][0] for key in ("lut", "ff", "tiles", "dsp") if texts[key] is None]
    if missing:
        source.wrong(f"says nothing of {', '.join(missing)}: it is cut off, or of another tool")
    counts = {key: source.count(text or "", key) for key, text in texts.items() if key != "tiles"}
    tiles = source.number(texts["tiles"] or "", "a number of block RAM tiles")
    counts["bram18"] = None if tiles is None else round(2 * tiles)
    return Cell("", "", {key: counts[key] for key in RESOURCES})


def _deep(source: Source, table: Table) -> Cell:
    lacking = [title for title in _DEEP.values() if title not in table.titles]
    if lacking or not any(title.startswith("DSP") for title in table.titles):
        source.wrong(f"holds a table of instances without {', '.join(lacking) or 'DSP blocks'}")
    path: list[tuple[int, Cell]] = []
    root: Cell | None = None
    for row in table.rows:
        level, name = len(row[0]) - len(row[0].lstrip()), row[0].strip()
        if name.startswith("(") and path:
            continue  # a cell's own part, without its children
        cell = Cell(name, row[1].strip(), _resources(source, dict(zip(table.titles, row, strict=True))))
        while path and path[-1][0] >= level:
            path.pop()
        if not path:
            if root is not None:
                source.wrong("holds a hierarchy of several roots")
            root = cell
        else:
            path[-1][1].children.append(cell)
        path.append((level, cell))
    if root is None:
        source.wrong("holds an empty hierarchy")
    return root


def _resources(source: Source, cells: dict[str, str]) -> Counts:
    counted = {key: source.count(cells[title], title) for key, title in _DEEP.items()}
    dsp = next(title for title in cells if title.startswith("DSP"))
    big, small = counted["ramb36"], counted["ramb18"]
    return {
        "lut": counted["lut"],
        "ff": counted["ff"],
        "bram18": None if big is None or small is None else 2 * big + small,
        "uram": source.count(cells["URAM"], "URAM") if "URAM" in cells else 0,
        "dsp": source.count(cells[dsp], dsp),
    }


def parse_timing(source: Source) -> Timing:
    """What a timing summary says.

    Raises:
        UsageError: it is cut off, or none.
    """
    values = _below(source, "| Design Timing Summary", "WNS(ns)")
    first = next(values, None)
    if first is None or len(first) < _OF_CLOCK - 1:
        source.wrong("has no figures in its Design Timing Summary: it is cut off")
    wns, tns, whs, ths = (source.number(first[i], "a slack") for i in (0, 1, 4, 5))
    periods = {line[0]: line[-2] for line in _below(source, "| Clock Summary", "Clock ") if len(line) > 2}
    clocks = [line for line in _below(source, "| Intra Clock Table", "Clock ") if len(line) == _OF_CLOCK]
    busiest = max(clocks, key=lambda line: source.count(line[4], "a number of endpoints") or 0, default=None)
    clock = period = mhz = None
    if busiest is not None and busiest[0] in periods:
        clock, period = busiest[0], source.number(periods[busiest[0]], "a period")
        slack = source.number(busiest[1], "a slack")
        if period is not None and slack is not None and period - slack > 0:
            mhz = 1e3 / (period - slack)
    return Timing(wns, tns, whs, ths, source.count(first[2], "a number of endpoints"), clock, period, mhz)


def _below(source: Source, title: str, heading: str) -> Iterator[list[str]]:
    """The words of the lines below the underlined heading of a section, up to an empty line."""
    _, found, rest = source.text.partition(title)
    lines = iter(rest.splitlines() if found else ())
    for line in lines:
        if line.lstrip().startswith(heading):
            next(lines, None)
            for row in lines:
                if not row.strip():
                    return
                yield row.split()
            return


def parse_exported(source: Source) -> tuple[str, Counts, Timing]:
    """(stage, resources, timing) of what Vitis HLS says after it ran Vivado on an IP.

    Raises:
        UsageError: the file is damaged or none of that kind.
    """
    root = parse_xml(source, "profile")
    used = required(source, root, "AreaReport/Resources")
    timing = required(source, root, "TimingReport")
    run = root.findtext("RunData/RUN_TYPE", "impl" if "impl" in source.path.name else "synth")
    counts: Counts = {
        key: source.count(used.findtext(tag, ""), f"a number of {tag}")
        for key, tag in zip(RESOURCES, ("LUT", "FF", "BRAM", "URAM", "DSP"), strict=True)
    }
    if counts["lut"] is None:
        source.wrong("says nothing of LUT: it is cut off, or of another tool")
    target = source.number(timing.findtext("TargetClockPeriod", ""), "a period")
    reached = source.number(timing.findtext("AchievedClockPeriod", ""), "a period")
    wns = None if target is None or reached is None else round(target - reached, 3)
    mhz = 1e3 / reached if reached else None
    found = Timing(wns, None, None, None, None, timing.findtext("CLOCK_NAME"), target, mhz)
    return ("placed" if run.strip() == "impl" else "synthesized"), counts, found
