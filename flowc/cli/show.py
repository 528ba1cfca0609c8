"""What the commands print: tables for people, JSON for programs. Names from models are shown as text, never as markup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowc.errors import shown
from flowc.targets import Target

__all__ = ["as_json", "build", "estimate", "explanations", "info", "targets", "verification"]

_UNKNOWN = "unknown"
_WIDE = 160
_RESOURCES = (("lut", "LUT"), ("ff", "FF"), ("bram18", "BRAM18"), ("uram", "URAM"), ("dsp", "DSP"))

Report = Mapping[str, Any]


def as_json(document: Any) -> None:
    """Print `document` as JSON."""
    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def build(report: Report, directory: Path) -> None:
    """The summary of a finished build."""
    console = _console()
    _layers(console, report)
    _summary(console, report, [("written to", f"{directory}/")])


def estimate(report: Report) -> None:
    """The summary of a design that was not written."""
    console = _console()
    _layers(console, report)
    _summary(console, report, [])


def verification(report: Report) -> None:
    """What a verification found; `report` holds the keys ``verification`` and ``csim``."""
    _pairs(_console(), [("verified", _verified(report["verification"])), ("compiled C++", _simulated(report["csim"]))])


def explanations(lines: Iterable[tuple[str, str]]) -> None:
    """What became of each node of the model."""
    table = _table("node", "became")
    for node, text in lines:
        table.add_row(_text(node), _text(text))
    _console().print(table)


def targets(known: Sequence[Target]) -> None:
    """The known boards."""
    table = _table("target", "LUT>", "FF>", "BRAM18>", "URAM>", "DSP>", "MHz>", "part", "board")
    for target in known:
        figures = [_count(target.available[key]) for key, _ in _RESOURCES]
        clock = f"{target.clock_mhz:g} (max {target.max_clock_mhz:g})"
        table.add_row(target.name, *figures, clock, target.part, target.description)
    _console().print(table)


def info(model: Mapping[str, Any]) -> None:
    """What a model holds, before any target is named."""
    console = _console()
    table = _table("layer", "unit", "shape", "bits w/in/out", "MACs>", "weights>")
    for layer in model["layers"]:
        bits = "/".join(_figure(layer[key]) for key in ("weight_bits", "input_bits", "output_bits"))
        table.add_row(
            _text(layer["name"]), layer["unit"], _text(layer["shape"]), bits, _count(layer["macs"]), _count(layer["weights"])
        )
    console.print(table)


def _summary(console: Console, report: Report, more: list[tuple[str, str]]) -> None:
    table = _table("resource", "used>", "available>", "share>")
    for key, name in _RESOURCES:
        used, available = report["resources"][key], report["available"][key]
        table.add_row(name, _count(used), _count(available), _share(used, available))
    console.print(table)
    certificate = report["certificate"]
    _pairs(
        console,
        [
            ("model", f"{report['model']['name']} on {report['target']} at {report['clock_mhz']:g} MHz"),
            ("execution", report["execution"]),
            ("fits", "yes" if report["fits"] else "no"),
            ("rate", f"{_figure(report['fps'])} frames/s, bottleneck {report['bottleneck'] or _UNKNOWN}"),
            ("latency", f"{_figure(report['latency_ms'])} ms"),
            (
                "thresholds",
                f"{_count(certificate['thresholds'])}: {_count(certificate['exact'])} exact,"
                f" {_count(certificate['proven'])} proven, {_count(certificate['ambiguous'])} ambiguous"
                f" ({_percent(certificate['ambiguous_value_share'])} of accumulator values)",
            ),
            ("verified", _verified(report["verification"])),
            ("compiled C++", _simulated(report["csim"])),
            *more,
        ],
    )


def _layers(console: Console, report: Report) -> None:
    table = _table(
        "layer", "unit", "PE>", "SIMD>", "cycles>", "bits w/in/out/acc", *(f"{name}>" for _, name in _RESOURCES), "memory"
    )
    for layer in report["layers"]:
        bits = "/".join(_figure(layer[f"{k}_bits"], "-") for k in ("weight", "input", "output", "accumulator"))
        table.add_row(
            _text(layer["name"]),
            layer["unit"],
            _figure(layer["pe"], "-"),
            _figure(layer["simd"], "-"),
            _count(layer["cycles"]),
            bits,
            *(_count(layer[key]) for key, _ in _RESOURCES),
            layer["memory"] or "-",
        )
    console.print(table)


def _verified(verification: Mapping[str, Any] | None) -> str:
    if verification is None:
        return "no"
    explained = verification["explained_by_ambiguous"]
    return (
        f"{_count(verification['samples'])} samples, {_count(verification['values'])} integers of"
        f" {_count(verification['tensors'])} tensors against {verification['reference']}:"
        f" {_count(verification['mismatches'])} mismatches" + (f", {explained} of them explained" if explained else "")
    )


def _simulated(csim: Mapping[str, Any] | None) -> str:
    if csim is None:
        return "not run (--csim)"
    return (
        f"{_count(csim['samples'])} samples against the emulator: {_count(csim['mismatches'])} mismatches"
        f" (compiled in {_figure(csim['compile_s'])} s)"
    )


def _console() -> Console:
    """Tables as wide as the terminal, and wide enough not to be cut where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def _table(*titles: str) -> Table:
    """A table with these columns; a title that ends in '>' is aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title.rstrip(">"), justify="right" if title.endswith(">") else "left", overflow="fold")
    return table


def _pairs(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2))
    for title, text in pairs:
        grid.add_row(Text(title, style="bold"), _text(text))
    console.print(grid)


def _text(value: Any) -> Text:
    return Text(shown(str(value)))


def _figure(value: float | None, unknown: str = _UNKNOWN) -> str:
    """A figure with four significant digits, or the word for none."""
    if value is None:
        return unknown
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _count(value: int | None) -> str:
    return _UNKNOWN if value is None else f"{value:,}"


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.3g}%"


def _share(used: int | None, available: int | None) -> str:
    return _UNKNOWN if used is None or available is None else f"{100 * used / available:.0f}%" if available else "-"
