"""Comparisons as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flowc.report.compare import Comparison, Figure
from flowc.report.text import number, visible

__all__ = ["markdown_of"]

_MOST_LAYERS = 60
_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+!|<>~"})


def markdown_of(comparison: Comparison, broken: Sequence[str] = ()) -> str:
    """Tables of the figures and of the layers that differ; GitHub's dialect."""
    many = len(comparison.builds) > 1
    lines = [
        _row(["", *(_name(b["name"]) for b in comparison.builds)]),
        _row([":--", *("--:" for _ in comparison.builds)]),
    ]
    for title, key in (
        ("model", "model"),
        ("board", "target"),
        ("execution", "execution"),
        ("bottleneck", "bottleneck"),
    ):
        lines.append(_row([title, *(_name(b[key]) for b in comparison.builds)]))
    lines.append(_row(["fits", *("yes" if b["fits"] else "**no**" for b in comparison.builds)]))
    lines += [_row([f.name, *_cells(f, many)]) for f in comparison.figures]
    if many:
        lines += ["", *_layers(comparison)]
    if broken:
        lines += ["", "**Over budget**", "", *(f"- {_name(text)}" for text in broken)]
    return "\n".join(lines) + "\n"


def _cells(figure: Figure, many: bool) -> Iterable[str]:
    for i in range(len(figure.values)):
        change = figure.change(i) if many and i else ""
        mark = {True: " ✓", False: " ✗", None: ""}[figure.good(i)]
        yield figure.text(i) + (f" ({change}{mark})" if change else "")


def _layers(comparison: Comparison) -> list[str]:
    if not comparison.layers:
        return [f"All {comparison.same} layers are the same."]
    lines = [f"<details><summary>{len(comparison.layers)} layers differ, {comparison.same} are the same</summary>", ""]
    lines += [_row(["layer", "what", *(_name(b["name"]) for b in comparison.builds)])]
    lines += [_row([":--", ":--", *("--:" for _ in comparison.builds)])]
    for row in comparison.layers[:_MOST_LAYERS]:
        title = _name(row.name)
        if not all(row.there):
            lines.append(_row([title, "there", *("yes" if there else "no" for there in row.there)]))
            title = ""
        for key, values in row.values.items():
            if all(row.there):
                lines.append(_row([title, key, *("–" if v is None else number(v) for v in values)]))
                title = ""
    left = len(comparison.layers) - _MOST_LAYERS
    return [*lines, "", *([f"and {left} more"] if left > 0 else []), "</details>"]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _name(value: Any) -> str:
    """A name as text: no markup, no line breaks."""
    return str(visible(str(value))).translate(_ESCAPED)
