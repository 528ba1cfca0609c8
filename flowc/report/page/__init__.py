"""report.html: one self-contained page. Each part is a view, computed from the report, and a template that writes it down."""
