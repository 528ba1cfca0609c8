"""What the commands print: tables for people, JSON for programs.

Names from models are shown as text, never as markup, and without control characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from flowc.cli.tables import (
    RESOURCES,
    UNKNOWN,
    count,
    figure,
    new_console,
    new_table,
    pairs,
    percent,
    roomy,
    share,
    text,
)
from flowc.errors import counted, shown
from flowc.report.text import amount, short
from flowc.targets import Target

__all__ = ["as_json", "info", "nodes", "report", "survey", "targets", "verification"]

Report = Mapping[str, Any]

_NARROW_NAME = 22
_BINDS = "bold red"
_FULL = 0.9


def as_json(document: Any) -> None:
    """Print `document` as JSON."""
    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def report(document: Report, more: Iterable[tuple[str, str]]) -> None:
    """The layers, the resources and the summary of a design; `more` adds lines to the summary."""
    console = new_console()
    if document["execution"] == "loopback":
        _loopback_layers(console, document)
    else:
        _layers(console, document)
    console.print()
    _resources(console, document)
    console.print()
    pairs(console, [*_summary(document), *more])


def verification(found: Report) -> None:
    """What a verification found; `found` holds the keys ``verification``, ``csim`` and ``rtlsim`` of a report."""
    verified = found["verification"]
    lines = [("verified", _verified(verified)), *_explained(verified), ("compiled C++", _simulated(found["csim"]))]
    lines += _simulated_rtl(found["rtlsim"])
    pairs(new_console(), lines)


def nodes(lines: Iterable[tuple[str, str]]) -> None:
    """What became of each node of the model."""
    table = new_table("node", "became")
    for node, became in lines:
        table.add_row(text(node), text(became))
    new_console().print(table)


_MADE = {True: "yes", False: "no longer", None: "?"}


def targets(known: Sequence[Target]) -> None:
    """The known boards."""
    console = new_console()
    wide = roomy(console)
    shown_ = [(key, name) for key, name in RESOURCES if wide or key not in ("ff", "uram")]
    table = new_table(
        "target",
        *(f"{name}>" for _, name in shown_),
        "MHz>",
        *(["part"] if wide else []),
        "board",
        *(["made"] if wide else []),
    )
    for target in known:
        clock = f"{target.clock_mhz:g} (max {target.max_clock_mhz:g})" if wide else f"{target.clock_mhz:g}"
        table.add_row(
            Text(target.name, style="bold"),
            *(count(target.available[key]) for key, _ in shown_),
            clock,
            *([target.part] if wide else []),
            target.description,
            *([_MADE[target.made]] if wide else []),
        )
    console.print(table)


def info(model: Report) -> None:
    """What a model holds, and what would become of each of its nodes."""
    console = new_console()
    wide = roomy(console)
    heads = ("layer", "unit", "output", "bits w/in/out/acc") if wide else ("layer", "unit", "w/in/out/acc")
    table = new_table(*heads, "MACs>", "BOPs>", "weights>")
    for layer in model["layers"]:
        names = (text(layer["name"]), layer["unit"], layer["shape"])
        table.add_row(
            *(names if wide else (Text(short(layer["name"], _NARROW_NAME)), layer["unit"])),
            _bits(layer),
            *(_size(layer[key], wide) for key in ("macs", "bops", "weights")),
        )
    console.print(table)
    console.print()
    nodes((node["node"], node["became"]) for node in model["nodes"])
    console.print()
    pairs(console, _model(model))


def survey(model: Report) -> None:
    """What a model that can't be compiled holds, and which of its nodes are refused."""
    console = new_console()
    wide = roomy(console)
    heads = ("node", "operator", "output", "bits w/in/out") if wide else ("node", "operator", "w/in/out")
    table = new_table(*heads, "MACs>", *(["BOPs>", "weights>"] if wide else []), "would become")
    for node in model["nodes"]:
        bits = "/".join(count(node[f"{kind}_bits"], "-") for kind in ("weight", "input", "output"))
        table.add_row(
            text(node["node"]) if wide else Text(short(node["node"], _NARROW_NAME)),
            text(node["op"]),
            *([node["shape"] or UNKNOWN] if wide else []),
            bits,
            *(_size(node[key], wide) for key in (("macs", "bops", "weights") if wide else ("macs",))),
            Text(f"refused: {shown(node['refused'])}", style="red") if node["refused"] else text(node["became"] or "-"),
        )
    console.print(table)
    console.print()
    refused = sum(node["refused"] is not None for node in model["nodes"])
    pairs(
        console, [*_model(model), ("can't be compiled", f"{refused} of {counted(len(model['nodes']), 'node')} refused")]
    )


def _model(model: Report) -> list[tuple[str, str]]:
    ports = [
        (kind, ", ".join(f"{name} {_kind(entry)}" for name, entry in model[f"{kind}s"].items()))
        for kind in ("input", "output")
    ]
    totals = f"{count(model['macs'])} MACs, {count(model['bops'])} BOPs, {count(model['weights'])} weights"
    return [("model", model["model"]["name"]), *ports, ("a sample takes", totals)]


def _size(value: int | None, wide: bool) -> str:
    """A count in full, or of three digits where there is little room."""
    return "-" if value is None else count(value) if wide else amount(value).replace(" ", "")


def _kind(port: Any) -> str:
    """The dtype and shape of an input, or the dtype of an output."""
    return str(port) if isinstance(port, str) else f"{port['dtype']} {tuple(port['shape'])}"


def _resources(console: Console, document: Report) -> None:
    table = new_table("resource", "used>", "may be used>", "available>", "share>")
    budget = document.get("budget") or {}
    for key, name in RESOURCES:
        used, available, allowed = document["resources"][key], document["available"][key], budget.get(key)
        over = used is not None and allowed is not None and used > allowed
        full = used is not None and bool(allowed) and used > _FULL * (allowed or 0)
        style = "bold red" if over else "yellow" if full else None
        table.add_row(name, count(used), count(allowed), count(available), share(used, available), style=style)
    console.print(table)


def _summary(document: Report) -> list[tuple[str, str]]:
    return [
        ("model", f"{document['model']['name']} on {document['target']} at {document['clock_mhz']:g} MHz"),
        ("execution", document["execution"]),
        *_engine(document),
        ("fits", "yes" if document["fits"] else "no"),
        ("rate", f"{figure(document['fps'])} frames/s, bottleneck {document['bottleneck'] or UNKNOWN}"),
        ("latency", f"{figure(document['latency_ms'])} ms"),
        ("thresholds", _certified(document["certificate"])),
        ("verified", _verified(document["verification"])),
        *_explained(document["verification"]),
        ("compiled C++", _simulated(document["csim"])),
        *_simulated_rtl(document["rtlsim"]),
        ("took", ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in document["seconds"].items())),
        *(("note", note) for note in document["notes"]),
    ]


def _layers(console: Console, document: Report) -> None:
    wide = roomy(console)
    resources = [(key, name) for key, name in RESOURCES if wide or (key != "ff" and document["resources"][key])]
    heads = ["layer", "unit", "PE>", "SIMD>"] if wide else ["layer", "PE x SIMD>"]
    heads += ["cycles>", "bits w/in/out/acc" if wide else "w/in/out/acc", *(f"{name}>" for _, name in resources)]
    table = new_table(*heads, *(["memory"] if wide else []))
    for layer in document["layers"]:
        folding = [count(layer["pe"], "-"), count(layer["simd"], "-")]
        table.add_row(
            text(layer["name"]) if wide else Text(short(layer["name"], _NARROW_NAME)),
            *([layer["unit"], *folding] if wide else [" x ".join(folding)]),
            count(layer["cycles"]),
            _bits(layer),
            *(count(layer[key]) for key, _ in resources),
            *([layer["memory"] or "-"] if wide else []),
            style=_BINDS if layer["name"] == document["bottleneck"] else None,
        )
    console.print(table)


def _loopback_layers(console: Console, document: Report) -> None:
    """Layers of a loopback engine: what the array and the external memory do for a batch."""
    wide = roomy(console)
    heads = ["layer", "unit", "bits w/in/out/acc"] if wide else ["layer"]
    table = new_table(*heads, "cycles>", "compute>", "MB read>", "MB written>", "array>", "binds")
    for layer in document["layers"]:
        table.add_row(
            text(layer["name"]) if wide else Text(short(layer["name"], _NARROW_NAME)),
            *([layer["unit"], _bits(layer)] if wide else []),
            count(layer["cycles"] * document["batch"]),
            count(layer["compute_cycles"]),
            *(figure(layer[f"ddr_{way}_bytes"] / 1e6) for way in ("read", "write")),
            percent(layer["utilization"]) if layer["utilization"] is not None else "-",
            layer["binds"],
            style=_BINDS if layer["name"] == document["bottleneck"] else None,
        )
    console.print(table)


def _engine(document: Report) -> list[tuple[str, str]]:
    """The lines that a loopback design has more."""
    if document["execution"] != "loopback":
        return []
    engine, traffic = document["engine"], document["traffic"]
    lanes = f"{engine['lanes']} lanes ({engine['dsp_lanes']} in DSP slices)"
    batch = "one image in stripes" if document["stripes"] else f"{count(document['batch'])} images at a time"
    ratio = traffic["bytes_per_image"] / traffic["lower_bound_bytes"] if traffic["lower_bound_bytes"] else None
    return [
        ("engine", f"{engine['rows']} x {engine['columns']} x {lanes} of {engine['digit']} bits, {batch}"),
        ("traffic", f"{figure(traffic['bytes_per_image'] / 1e6)} MB per image, {figure(ratio)} of the least"),
    ]


def _bits(layer: Report) -> str:
    return "/".join(count(layer[f"{kind}_bits"], "-") for kind in ("weight", "input", "output", "accumulator"))


def _certified(certificate: Report) -> str:
    kinds = (
        ("exact", "exact"),
        ("proven", "proven"),
        ("proven_unfused", "proven as written"),
        ("ambiguous", "ambiguous"),
    )
    counts = ", ".join(f"{count(certificate[key])} {name}" for key, name in kinds)
    share = percent(certificate["ambiguous_value_share"])
    return f"{count(certificate['thresholds'])}: {counts}; {share} of accumulator values are in an ambiguous window"


def _verified(verification: Report | None) -> str:
    if verification is None:
        return "no"
    explained, wrong = verification["explained_by_ambiguous"], verification["mismatches"]
    how = [
        f"{count(verification[key])} {words}"
        for key, words in _COMPARED.items()
        if verification[key] or key == "compared_exactly"
    ]
    return (
        f"{counted(verification['samples'], 'sample')}, {count(verification['values'])} integers of"
        f" {counted(verification['tensors'], 'tensor')} against {verification['reference']} ({', '.join(how)}):"
        f" {counted(wrong, 'mismatch', 'mismatches')}"
        + (f", {count(explained)} of them explained" if explained else "")
    )


_COMPARED = {
    "compared_exactly": "exactly",
    "compared_within_bound": "within the bound of float32 sums",
    "not_compared": "not compared",
    "not_finite": "infinite or not a number",
}


def _explained(verification: Report | None) -> list[tuple[str, str]]:
    """Why mismatches are no faults: a sentence for each tensor and cause."""
    found = [] if verification is None else verification["explanations"]
    return [("explained", f"{entry['text']} ({percent(entry['share'])})") for entry in found]


def _simulated_rtl(rtlsim: Report | None) -> list[tuple[str, str]]:
    """The line of an RTL simulation, where there was one."""
    if rtlsim is None:
        return []
    interval, latency = count(rtlsim["interval_cycles"]), count(rtlsim["latency_cycles"])
    line = (
        f"{count(rtlsim['frames'])} frames, every stream against the emulator: {count(rtlsim['mismatches'])} mismatches"
    )
    return [("simulated RTL", f"{line}; {interval} cycles per frame, {latency} for the first")]


def _simulated(csim: Report | None) -> str:
    if csim is None:
        return "not run (--csim)"
    return (
        f"{counted(csim['samples'], 'sample')} against the emulator: {counted(csim['mismatches'], 'mismatch', 'mismatches')}"
        f" (compiled in {figure(csim['compile_s'])} s)"
    )
