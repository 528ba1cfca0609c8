"""Reports of vendor tools: read from their files, laid beside the modelled figures (docs/report-json.md)."""

from flowc.report.vendor.collect import Collected, collect
from flowc.report.vendor.join import join

__all__ = ["Collected", "collect", "join"]
