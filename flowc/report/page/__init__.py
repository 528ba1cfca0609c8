"""report.html: one self-contained page. Each part is a view, computed from the report, and a template that writes it down."""

from flowc.report.page.compare import render_comparison
from flowc.report.page.render import render_fragment, render_html

__all__ = ["render_comparison", "render_fragment", "render_html"]
