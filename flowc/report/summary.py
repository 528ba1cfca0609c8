"""Reports as objects for notebooks and prompts: the mapping that report.json holds, with a short form in text and in HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import escape

from flowc.errors import shown
from flowc.report.page.render import render_fragment
from flowc.report.text import number, visible

__all__ = ["Info", "Report", "Summary", "html_table"]

_RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table for a notebook; names are text."""
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(visible('-' if v is None else number(v)))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<p>{escape(visible(title))}</p><table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"


class Report(dict[str, Any]):
    """The content of report.json (docs/report-json.md)."""

    @property
    def summary(self) -> str:
        """One line: what, where, how fast, how large, how sure."""
        used: Mapping[str, Any] = self["resources"]
        costs = ", ".join(f"{number(used[n])} {n}" for n in _RESOURCES if used.get(n) != 0)
        checked = self["verification"]
        sure = (
            "not verified"
            if checked is None
            else f"{number(checked['mismatches'])} mismatches in {number(checked['values'])} integers"
        )
        return (
            f"{shown(self['model']['name'])} on {self['target']} at {self['clock_mhz']:g} MHz: {number(self['fps'])} frames/s, "
            f"bound by {shown(str(self['bottleneck']))}, {'fits' if self['fits'] else 'does not fit'}; {costs}; {sure}"
        )

    def __repr__(self) -> str:
        return f"<flowc report: {self.summary}>"

    def _repr_html_(self) -> str:
        return render_fragment(self)


class Info(dict[str, Any]):
    """What a model holds, before a target is named: what ``flowc info --json`` prints."""

    @property
    def summary(self) -> str:
        """One line: the model's size."""
        return (
            f"{shown(self['model']['name'])}: {len(self['layers'])} layers, {number(self['macs'])} MACs, {number(self['bops'])} BOPs, "
            f"{number(self['weights'])} weights"
        )

    def __repr__(self) -> str:
        return f"<flowc info: {self.summary}>"

    def _repr_html_(self) -> str:
        keys = ("name", "unit", "shape", "weight_bits", "input_bits", "output_bits", "macs", "weights")
        head = ("layer", "unit", "output", "weight bits", "input bits", "output bits", "MACs", "weights")
        return html_table(self.summary, head, ([layer.get(key) for key in keys] for layer in self["layers"]))


class Summary:
    """The layers of a design as a text table, as people print them; a table in a notebook.

    Args:
        report: content of report.json.
        shapes: (H, W, C) of what leaves a unit, by name.
    """

    _HEAD = ("layer", "unit", "output", "weight bits", "in", "out", "MACs", "cycles", "LUT", "BRAM18", "DSP")

    def __init__(self, report: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> None:
        self._report = Report(report)
        self._rows = [self._row(layer, shapes.get(layer["name"])) for layer in report["layers"]]

    @staticmethod
    def _row(layer: Mapping[str, Any], shape: Sequence[int] | None) -> list[str]:
        keys = ("weight_bits", "input_bits", "output_bits", "macs", "cycles", "lut", "bram18", "dsp")
        figures = ["-" if layer[key] is None else number(layer[key]) for key in keys]
        return [shown(layer["name"]), layer["unit"], "-" if shape is None else "x".join(map(str, shape)), *figures]

    def __str__(self) -> str:
        table = [list(self._HEAD), *self._rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(self._HEAD))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        return "\n".join([*lines, "", *textwrap.wrap(self._report.summary, 100)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self._report.summary, self._HEAD, self._rows)
