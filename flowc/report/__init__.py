"""report.json and report.html."""

from flowc.report.report import build, csim_entry, info, layer_entry, write

__all__ = ["build", "csim_entry", "info", "layer_entry", "write"]
