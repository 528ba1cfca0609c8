"""Builds side by side as a page."""

from __future__ import annotations

from flowc.report.compare import Comparison
from flowc.report.page.render import render_page
from flowc.version import __version__

__all__ = ["render_comparison"]


def render_comparison(comparison: Comparison) -> str:
    """One self-contained page; every name is escaped."""
    return render_page("compare.html.j2", comparison=comparison, version=__version__)
