"""Measured figures of a design on disk, and where they are kept: its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowc.backends.rtl.place import place
from flowc.backends.rtl.synthesize import check_family, synthesize
from flowc.design.design import load
from flowc.errors import UsageError, shown
from flowc.files import manifest
from flowc.report import write

__all__ = ["synthesize_design"]


def synthesize_design(
    directory: Path,
    family: str = "xcup",
    *,
    jobs: int | None = None,
    timeout: float = 1800,
    size: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Synthesizes the design in ``directory`` and writes what was measured into its report.

    Args:
        family: xcup, xc7 or ecp5.
        jobs, timeout, progress: see `flowc.backends.rtl.synthesize.synthesize`.
        size: also places and routes it on an ECP5 of this size (`flowc.backends.rtl.place.PARTS`).

    Returns:
        The entries ``synthesis`` and ``place`` (None where it was not routed) of report.json.

    Raises:
        UsageError: the directory holds no design with SystemVerilog, or a tool is missing.
        InfeasibleError: it does not fit on the part.
    """
    check_family(family)
    design = load(directory)
    folder = directory / "rtl"
    if not folder.is_dir():
        raise UsageError(
            f"'{shown(str(directory))}' holds no SystemVerilog", remedy="Build it with: flowc build ... --backend rtl"
        )
    found: dict[str, Any] = {
        "synthesis": synthesize(folder, design.graph, family, jobs=jobs, timeout=timeout, progress=progress),
        "place": None,
    }
    if size is not None:
        found["place"] = place(folder, size=size, clock_mhz=design.plan.clock_mhz, timeout=timeout)
    design.report |= found
    write(design.report, directory)
    names = ["report.json", "report.html"]
    if found["place"] is not None:
        names.append(f"rtl/{found['place']['bitstream']}")
    manifest.record(directory, names)
    return found
