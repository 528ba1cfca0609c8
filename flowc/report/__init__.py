"""report.json and report.html."""

from flowc.report.report import build, info, write

__all__ = ["build", "info", "write"]
