"""Templates of ``flowc.templates/report`` and what they are given."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from flowc.files.compiled import compiled_templates
from flowc.report.page.bars import cycle_bars, energy_bars, fifo_bars, stage_bars
from flowc.report.page.graph import draw_graph
from flowc.report.page.resources import stack_resources
from flowc.report.page.roofline import draw_roofline
from flowc.report.page.stairs import draw_stairs
from flowc.report.page.timeline import draw_timeline
from flowc.report.page.units import folding_text, unit_rows
from flowc.report.page.words import tell
from flowc.report.text import amount, breakable, number, options, percent, short, size, visible

__all__ = ["render_fragment", "render_html", "render_page"]


_NEWER = (
    "command",
    "budget",
    "folding",
    "traffic",
    "roofline",
    "energy",
    "activations",
    "csim",
    "rtlsim",
    "synthesis",
    "place",
    "vendor",
)
"""Entries that reports of earlier versions may lack."""


def _source(name: str) -> str:
    return importlib.resources.files("flowc.templates").joinpath("report", *name.split("/")).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    """Not optimized: kept templates hold no results of `finalize` and filters, which may be others in another version."""
    environment = jinja2.Environment(
        optimized=False,
        bytecode_cache=compiled_templates("page"),
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters |= {
        "number": number,
        "amount": amount,
        "options": options,
        "size": size,
        "percent": percent,
        "short": short,
        "breakable": breakable,
    }
    return environment


def render_page(template: str, **values: Any) -> str:
    """A page from a template. Every name is escaped; nothing is loaded from elsewhere."""
    return _environment().get_template(template).render(**values)


def render_html(report: Mapping[str, Any]) -> str:
    """The page of one design: report.html."""
    report = _whole(report)
    return render_page(
        "report.html.j2",
        report=report,
        told=tell(report),
        graph=draw_graph(report),
        timeline=draw_timeline(report),
        cycles=cycle_bars(report),
        resources=stack_resources(report),
        roofline=draw_roofline(report),
        energies=energy_bars(report),
        fifos=fifo_bars(report),
        stairs=draw_stairs(report),
        units=unit_rows(report),
        folding=folding_text(report),
        stages=stage_bars(report),
    )


def render_fragment(report: Mapping[str, Any]) -> str:
    """A part of a page for a notebook: the first screen, the drawing and the table of units. Its styles reach nothing around it."""
    report = _whole(report)
    return render_page(
        "fragment.html.j2",
        report=report,
        told=tell(report),
        graph=draw_graph(report),
        timeline=draw_timeline(report),
        units=unit_rows(report),
        style=Markup(_source("style.css").replace(":root", ":scope")),  # noqa: S704 - a file of flowc's own
    )


def _whole(report: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**dict.fromkeys(_NEWER), **report}
