"""report.html: one self-contained page made from the content of report.json."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any

import jinja2

from flowc.files.compiled import compiled_templates

__all__ = ["render_html"]

_RESOURCES = (("lut", "LUT"), ("ff", "FF"), ("bram18", "BRAM18"), ("uram", "URAM"), ("dsp", "DSP"))


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _printable(value: Any) -> Any:
    """Control characters of hostile names do not reach the page, where they would make it malformed."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value) if isinstance(value, str) else value


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
        bytecode_cache=compiled_templates("html"),
    )
    environment.filters["number"] = _number
    return environment


def _source(name: str) -> str:
    return importlib.resources.files("flowc.templates").joinpath(*name.split("/")).read_text(encoding="utf-8")


def render_html(report: Mapping[str, Any]) -> str:
    """The page. Every name is escaped; nothing is loaded from elsewhere."""
    slowest = max((layer["cycles"] for layer in report["layers"]), default=1)
    return (
        _environment()
        .get_template("report/report.html.j2")
        .render(report=report, resources=_RESOURCES, slowest=slowest)
    )
