"""Builds side by side as a page."""

from __future__ import annotations

from pathlib import Path

from flowc.files.write import write_files
from flowc.report.compare import Comparison
from flowc.report.page.render import render_page
from flowc.version import __version__

__all__ = ["write_comparison"]


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Writes one self-contained page, in which every name is escaped. Raises UsageError where it can't be written."""
    page = render_page("compare.html.j2", comparison=comparison, version=__version__)
    write_files({path: page.encode()})
