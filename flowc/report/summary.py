"""Reports as objects for notebooks and prompts: the mapping that report.json holds, with a short form in text and in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from flowc.errors import shown

__all__ = ["Info", "Report"]

_RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return shown(str(value))


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(_text('-' if value is None else value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return (
        f"<p>{escape(title)}</p><table><thead><tr>"
        + "".join(f"<th>{escape(name)}</th>" for name in head)
        + f"</tr></thead><tbody>{cells}</tbody></table>"
    )


class Report(dict[str, Any]):
    """The content of report.json (docs/report-json.md)."""

    @property
    def summary(self) -> str:
        """One line: what, where, how fast, how large, how sure."""
        used: Mapping[str, Any] = self["resources"]
        costs = ", ".join(f"{_text(used[n])} {n}" for n in _RESOURCES if used.get(n) != 0)
        checked = self["verification"]
        sure = (
            "not verified"
            if checked is None
            else f"{_text(checked['mismatches'])} mismatches in {_text(checked['values'])} integers"
        )
        return (
            f"{shown(self['model']['name'])} on {self['target']} at {self['clock_mhz']:g} MHz: {_text(self['fps'])} frames/s, "
            f"{'fits' if self['fits'] else 'does not fit'}; {costs}; {sure}"
        )

    def __repr__(self) -> str:
        return f"<flowc report: {self.summary}>"

    def _repr_html_(self) -> str:
        head = ("layer", "unit", "PE", "SIMD", "cycles", *_RESOURCES)
        keys = ("name", "unit", "pe", "simd", "cycles", *_RESOURCES)
        return _table(self.summary, head, ([layer.get(key) for key in keys] for layer in self["layers"]))


class Info(dict[str, Any]):
    """What a model holds, before a target is named: what ``flowc info --json`` prints."""

    @property
    def summary(self) -> str:
        """One line: the model's size."""
        return (
            f"{shown(self['model']['name'])}: {len(self['layers'])} layers, {_text(self['macs'])} MACs, {_text(self['bops'])} BOPs, "
            f"{_text(self['weights'])} weights"
        )

    def __repr__(self) -> str:
        return f"<flowc info: {self.summary}>"

    def _repr_html_(self) -> str:
        keys = ("name", "unit", "shape", "weight_bits", "input_bits", "output_bits", "macs", "weights")
        head = ("layer", "unit", "output", "weight bits", "input bits", "output bits", "MACs", "weights")
        return _table(self.summary, head, ([layer.get(key) for key in keys] for layer in self["layers"]))
