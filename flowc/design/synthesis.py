"""Measured figures of a design on disk, and where they are kept: its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowc.backends.rtl.bitstream import check_timing, check_tools, make_bitstream, needed_files
from flowc.backends.rtl.place import check_place, place
from flowc.backends.rtl.placements import PLACEMENTS
from flowc.backends.rtl.synthesize import check_family, synthesize
from flowc.design.complete import SYNTHESIZED, check_complete
from flowc.design.design import load
from flowc.errors import UsageError, shown
from flowc.files import manifest
from flowc.report.report import update
from flowc.targets import Target

__all__ = ["synthesize_design"]


def _family(target: Target) -> str:
    """What yosys calls a target's family: carry chains, memories in tables and slices of 7 series differ from those of UltraScale+."""
    if target.is_open:
        return target.family
    return "xcup" if target.family.endswith("ultrascale+") else "xc7"


def synthesize_design(
    directory: Path,
    family: str | None = None,
    *,
    jobs: int | None = None,
    timeout: float = 1800,
    size: str | None = None,
    placements: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Synthesizes the design in ``directory`` and writes what was measured into its report.

    Args:
        family: xcup, xc7, ecp5 or ice40; None: that of the target.
        jobs, timeout, progress: see `flowc.backends.rtl.synthesize.synthesize`.
        size: also places and routes it on an ECP5 of this size (`flowc.backends.rtl.place.PARTS`). Without one, a design for a board
            that flowc writes a top level for is placed and routed on that.
        placements: of a board's design that misses its clock, of which the fastest counts; None: `PLACEMENTS`.

    Returns:
        The entries ``synthesis`` and ``place`` (None where it was not routed) of report.json.

    Raises:
        UsageError: the directory holds no design with SystemVerilog, or not all of it; there is no such size, or ``family`` is none that it
            is of; or a tool is missing.
        InfeasibleError: it does not fit on the part, or is slower there than the board's clock: then the report says how fast.
    """
    if family is not None:
        check_family(family)
    if size is not None:
        check_place(size, family)
    design = load(directory)
    target = design.target
    family = family or _family(target)
    folder = directory / "rtl"
    if not folder.is_dir():
        raise UsageError(
            f"'{shown(str(directory))}' holds no SystemVerilog", remedy="Build it with: flowc build ... --backend rtl"
        )
    on_board = size is None and target.has_board and family == target.family
    if on_board:
        check_tools(target)
        check_complete(directory, (*SYNTHESIZED, "rtl/board/"), (f"rtl/{name}" for name in needed_files(target)))
    else:
        check_complete(directory, SYNTHESIZED)
    found: dict[str, Any] = {
        "synthesis": synthesize(folder, design.graph, family, jobs=jobs, timeout=timeout, progress=progress),
        "place": None,
    }
    if size is not None:
        found["place"] = place(folder, size=size, clock_mhz=design.plan.clock_mhz, timeout=timeout)
    elif on_board:
        biggest = [(unit["name"], unit["lut"]) for unit in found["synthesis"]["units"]]
        clock = design.plan.clock_mhz
        found["place"] = make_bitstream(
            folder,
            target,
            clock_mhz=clock,
            biggest=biggest,
            timeout=timeout,
            placements=placements or PLACEMENTS,
            jobs=jobs,
        )
    design.report |= found
    update(design.report, directory)
    if found["place"] is not None and found["place"]["bitstream"] is not None:
        manifest.record(directory, [f"rtl/{found['place']['bitstream']}"])
    if on_board:
        check_timing(found["place"])
    return found
