"""Finds the reports that the scripts of a build leave behind, and reads them all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowc.errors import UsageError, shown
from flowc.report.vendor.csynth import Estimate, parse_csynth_rpt, parse_csynth_xml
from flowc.report.vendor.source import Counts, Source
from flowc.report.vendor.vivado import (
    Cell,
    Heading,
    Timing,
    parse_exported,
    parse_heading,
    parse_timing,
    parse_utilization,
)

__all__ = ["PLACES", "Collected", "Exported", "Implemented", "Timed", "collect"]

PLACES = (
    "vivado/*.rpt",
    "alveo/*.rpt",
    "hls/vitis_*/solution*/syn/report/csynth.xml",
    "hls/vitis_*/solution*/syn/report/csynth.rpt",
    "hls/vitis_*/solution*/impl/report/*/export_*.xml",
    "hls/units/*/*/solution*/syn/report/csynth.xml",
    "hls/units/*/*/solution*/syn/report/csynth.rpt",
    "hls/units/*/*/solution*/impl/report/*/export_*.xml",
)
"""Where the scripts of a build leave their reports, below its folder."""

_MOST_FILES = 20_000


@dataclass(frozen=True)
class Implemented:
    """A utilization report, and the stage it is of."""

    path: Path
    heading: Heading
    root: Cell


@dataclass(frozen=True)
class Timed:
    """A timing summary."""

    path: Path
    heading: Heading
    timing: Timing


@dataclass(frozen=True)
class Exported:
    """What ``export_design`` made of one top function."""

    path: Path
    stage: str
    resources: Counts
    timing: Timing


@dataclass
class Collected:
    """All reports of a design.

    Attributes:
        estimates: of C synthesis: file and content.
        utilizations, timings, exported: of Vivado.
        files: what was read: path, kind and SHA-256.
        skipped: remarks on files that are not read.
    """

    estimates: list[tuple[Path, Estimate]] = field(default_factory=list)
    utilizations: list[Implemented] = field(default_factory=list)
    timings: list[Timed] = field(default_factory=list)
    exported: list[Exported] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def collect(folder: Path, given: Sequence[Path] = ()) -> Collected:
    """Reads the reports that were given, or else those in their places below the folder of a build.

    Raises:
        UsageError: there is none, or one is damaged.
    """
    found = Collected()
    for path in given or _in_places(folder):
        _add(found, path, folder)
    if not found.files:
        raise UsageError(
            f"there are no reports of vendor tools in '{shown(str(folder))}'",
            remedy="Run hls/vitis_hls.tcl or vivado/build.tcl there first, or name the files: flowc report import DIR FILE...",
        )
    return found


def _in_places(folder: Path) -> list[Path]:
    paths = [path for pattern in PLACES for path in sorted(folder.glob(pattern)) if path.is_file()]
    if len(paths) > _MOST_FILES:
        raise UsageError(
            f"'{shown(str(folder))}' holds {len(paths):,} reports; at most {_MOST_FILES:,} are read",
            remedy="Give the folder of one project, or name the reports",
        )
    return [p for p in paths if p.suffix != ".rpt" or p.with_suffix(".xml") not in paths]


def _add(found: Collected, path: Path, folder: Path) -> None:
    """Reads one file; what kind it is, its content says."""
    source = Source.read(path)
    named = _below(path, folder)
    if not source.text.strip():
        source.wrong("is empty")
    kind: str | None
    if path.suffix == ".xml":
        kind = _add_xml(found, source)
    elif "* Target device:" in source.text or "Modules & Loops" in source.text:
        found.estimates.append((path, parse_csynth_rpt(source)))
        kind = "csynth"
    else:
        kind = _add_report(found, source)
    if kind is None:
        found.skipped.append(f"'{shown(named)}' is neither of utilization nor of timing: not read")
        return
    found.files.append({"path": named, "kind": kind, "sha256": hashlib.sha256(source.data).hexdigest()})


def _add_xml(found: Collected, source: Source) -> str:
    if "<TimingReport>" in source.text:
        found.exported.append(Exported(source.path, *parse_exported(source)))
        return "export"
    found.estimates.append((source.path, parse_csynth_xml(source)))
    return "csynth"


def _add_report(found: Collected, source: Source) -> str | None:
    heading = parse_heading(source)
    if heading is None:
        if source.path.stem in ("utilization", "timing"):
            source.wrong("has no heading that names the command: it is cut off, or of another tool")
        return None
    if heading.command.startswith("report_utilization"):
        found.utilizations.append(Implemented(source.path, heading, parse_utilization(source)))
        return "utilization"
    if heading.command.startswith("report_timing_summary"):
        found.timings.append(Timed(source.path, heading, parse_timing(source)))
        return "timing"
    return None


def _below(path: Path, folder: Path) -> str:
    """A path as the report names it: relative to the folder of the build where it lies in it."""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return str(path)
