"""report.html: one self-contained page. Each part is a view, computed from the report, and a template that writes it down."""

from flowc.report.page.render import render_html, render_page

__all__ = ["render_html", "render_page"]
