"""report.json and report.html."""

from flowc.report.command import command_line
from flowc.report.report import build, info, read, update, write
from flowc.report.summary import Info, Report

__all__ = ["Info", "Report", "build", "command_line", "info", "read", "update", "write"]
