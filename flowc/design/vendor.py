"""Figures of vendor tools, brought into the report of a design."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowc.design.store import read_assembly
from flowc.report.report import update
from flowc.report.summary import Report
from flowc.report.vendor import collect, join

__all__ = ["import_reports"]


def import_reports(folder: Path, given: Sequence[Path] = ()) -> Report:
    """Reads the reports that vendor tools left in the folder of a build, and writes report.json and report.html again.

    Args:
        folder: what `flowc build` wrote.
        given: the reports, where they lie elsewhere.

    Returns:
        The report with its part ``vendor``.

    Raises:
        UsageError: the folder is no design, there are no reports, or one is damaged or of another device; nothing is written.
    """
    design, content = read_assembly(folder)
    cells = design.plan.cells()
    content["vendor"] = join(collect(folder, given), content, cells.top, cells.inside, cells.alone, cells.cell)
    report = Report(content)
    update(report, folder)
    return report
