"""What the commands print: tables for people, JSON for programs.

Names from models are shown as text, never as markup, and without control characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowc.errors import shown
from flowc.targets import Target

__all__ = ["as_json", "info", "nodes", "report", "targets", "verification"]

_UNKNOWN = "unknown"
_WIDE = 160
_RESOURCES = (("lut", "LUT"), ("ff", "FF"), ("bram18", "BRAM18"), ("uram", "URAM"), ("dsp", "DSP"))

Report = Mapping[str, Any]


def as_json(document: Any) -> None:
    """Print `document` as JSON."""
    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def report(document: Report, more: Iterable[tuple[str, str]]) -> None:
    """The layers, the resources and the summary of a design; `more` adds lines to the summary."""
    console = _console()
    _layers(console, document)
    console.print()
    _resources(console, document)
    console.print()
    _pairs(console, [*_summary(document), *more])


def verification(found: Report) -> None:
    """What a verification found; `found` holds the keys ``verification`` and ``csim`` of a report."""
    _pairs(_console(), [("verified", _verified(found["verification"])), ("compiled C++", _simulated(found["csim"]))])


def nodes(lines: Iterable[tuple[str, str]]) -> None:
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


def info(model: Report) -> None:
    """What a model holds, and what would become of each of its nodes."""
    console = _console()
    table = _table("layer", "unit", "output", "bits w/in/out/acc", "MACs>", "BOPs>", "weights>")
    for layer in model["layers"]:
        figures = (_count(layer[key], "-") for key in ("macs", "bops", "weights"))
        table.add_row(_text(layer["name"]), layer["unit"], layer["shape"], _bits(layer), *figures)
    console.print(table)
    nodes((node["node"], node["became"]) for node in model["nodes"])
    ports = [
        (kind, ", ".join(f"{name} {_kind(entry)}" for name, entry in model[f"{kind}s"].items()))
        for kind in ("input", "output")
    ]
    totals = f"{_count(model['macs'])} MACs, {_count(model['bops'])} BOPs, {_count(model['weights'])} weights"
    _pairs(console, [("model", model["model"]["name"]), *ports, ("a sample takes", totals)])


def _kind(port: Any) -> str:
    """The dtype and shape of an input, or the dtype of an output."""
    return str(port) if isinstance(port, str) else f"{port['dtype']} {tuple(port['shape'])}"


def _resources(console: Console, document: Report) -> None:
    table = _table("resource", "used>", "available>", "share>")
    for key, name in _RESOURCES:
        used, available = document["resources"][key], document["available"][key]
        table.add_row(name, _count(used), _count(available), _share(used, available))
    console.print(table)


def _summary(document: Report) -> list[tuple[str, str]]:
    return [
        ("model", f"{document['model']['name']} on {document['target']} at {document['clock_mhz']:g} MHz"),
        ("execution", document["execution"]),
        ("fits", "yes" if document["fits"] else "no"),
        ("rate", f"{_figure(document['fps'])} frames/s, bottleneck {document['bottleneck'] or _UNKNOWN}"),
        ("latency", f"{_figure(document['latency_ms'])} ms"),
        ("thresholds", _certified(document["certificate"])),
        ("verified", _verified(document["verification"])),
        ("compiled C++", _simulated(document["csim"])),
    ]


def _layers(console: Console, document: Report) -> None:
    table = _table(
        "layer",
        "unit",
        "PE>",
        "SIMD>",
        "cycles>",
        "bits w/in/out/acc",
        *(f"{name}>" for _, name in _RESOURCES),
        "memory",
    )
    for layer in document["layers"]:
        table.add_row(
            _text(layer["name"]),
            layer["unit"],
            _count(layer["pe"], "-"),
            _count(layer["simd"], "-"),
            _count(layer["cycles"]),
            _bits(layer),
            *(_count(layer[key]) for key, _ in _RESOURCES),
            layer["memory"] or "-",
        )
    console.print(table)


def _bits(layer: Report) -> str:
    return "/".join(_count(layer[f"{kind}_bits"], "-") for kind in ("weight", "input", "output", "accumulator"))


def _certified(certificate: Report) -> str:
    kinds = (
        ("exact", "exact"),
        ("proven", "proven"),
        ("proven_unfused", "proven as written"),
        ("ambiguous", "ambiguous"),
    )
    counts = ", ".join(f"{_count(certificate[key])} {name}" for key, name in kinds)
    share = _percent(certificate["ambiguous_value_share"])
    return f"{_count(certificate['thresholds'])}: {counts}; {share} of accumulator values are in an ambiguous window"


def _verified(verification: Report | None) -> str:
    if verification is None:
        return "no"
    explained = verification["explained_by_ambiguous"]
    return (
        f"{_count(verification['samples'])} samples, {_count(verification['values'])} integers of"
        f" {_count(verification['tensors'])} tensors against {verification['reference']}:"
        f" {_count(verification['mismatches'])} mismatches" + (f", {explained} of them explained" if explained else "")
    )


def _simulated(csim: Report | None) -> str:
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


def _figure(value: float | None) -> str:
    """A figure with four significant digits."""
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _count(value: int | None, unknown: str = _UNKNOWN) -> str:
    return unknown if value is None else f"{value:,}"


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.3g}%"


def _share(used: int | None, available: int | None) -> str:
    return _UNKNOWN if used is None or available is None else f"{100 * used / available:.0f}%" if available else "-"
