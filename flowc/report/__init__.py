"""report.json and report.html, and builds side by side."""

from flowc.report.budget import Budget, broken
from flowc.report.command import command_line
from flowc.report.compare import Comparison, compare
from flowc.report.markdown import markdown_of
from flowc.report.report import build, info, read, update, write, write_comparison
from flowc.report.summary import Info, Report

__all__ = [
    "Budget",
    "Comparison",
    "Info",
    "Report",
    "broken",
    "build",
    "command_line",
    "compare",
    "info",
    "markdown_of",
    "read",
    "update",
    "write",
    "write_comparison",
]
