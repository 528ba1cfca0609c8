"""The SystemVerilog units in yosys: LUTs per product, units beside FINN's RTL library and beside the cost model, whole networks.

    python -m benchmarks.synthesis [dots] [finn] [matrix] [units] [networks] [--only NETWORK or GROUP] [--write]

Needs the extra ``rtl`` (tried: pyosys 0.70; counts differ between versions of yosys). Everything is synthesized by ``flowc synth``'s own
functions for UltraScale+ (`synth_xilinx -family xcup`), so results are remembered in the user's cache folder; without it the whole
takes half an hour of one processor. With --only one network or group of units is synthesized, and the record's figures stand for the
others. With --write the tables go into the pages of docs, where these hold their comments (``<!-- part -->``), and the figures into
benchmarks/records/synthesis.json.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import sys
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.synthesis_networks import NETWORKS, folded
from benchmarks.synthesis_requantizers import requantizer_units
from benchmarks.synthesis_thresholds import drawn_thresholds, threshold_units
from benchmarks.synthesis_units import FINN, alone, drawn_units, finn_units, model_units, packed_units, probe_units
from benchmarks.tables import fill, markdown
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.instance import kind, value_bits
from flowc.backends.rtl.synthesize import synthesize
from flowc.backends.rtl.yosys import count
from flowc.backends.rtl.yosys import statistics as cells_of
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Unit
from flowc.units.graph import Dataflow

DOCS = Path(__file__).parents[1] / "docs"
RECORD = Path(__file__).with_name("records") / "synthesis.json"
KEYS = ("lut", "ff", "bram18", "dsp")

DOTS: list[tuple[str, IntType, IntType, int, float]] = [
    ("1 x 1", BIPOLAR, BIPOLAR, 36, 2.0),
    ("2 x 2", SInt(2), UInt(2), 16, 7.5),
    ("4 x 4", SInt(4), UInt(4), 16, 27),
    ("4 x 8", SInt(4), UInt(8), 16, 51),
    ("8 x 8", SInt(8), UInt(8), 16, 103),
]
"""Bits of weights and inputs, types, terms, LUTs per product at most."""


def pieces(graph: Dataflow, names: Container[str] | None = None) -> list[dict[str, Any]]:
    """The units of a graph (of these names), synthesized: entries as of ``synthesis`` in report.json."""

    def tell(done: int, count: int, name: str) -> None:
        print(f"{done} of {count}: {name}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="flowc-synthesis-") as scratch:
        generate(graph, Path(scratch), header="A benchmark")
        found: list[dict[str, Any]] = synthesize(Path(scratch), graph, "xcup", wanted=names, progress=tell)["units"]
    return found


def dots(record: dict[str, Any]) -> str:
    """Look-up tables per product of pipelined dot products on heaps."""
    rows = []
    library = importlib.resources.files("flowc.templates").joinpath("rtl", "lib")
    for name, w, x, terms, most in DOTS:
        with tempfile.TemporaryDirectory(prefix="flowc-synthesis-") as scratch:
            sources = sorted(p.name for p in library.iterdir() if p.name.endswith(".sv"))
            for source in sources:
                (Path(scratch) / source).write_text(
                    library.joinpath(source).read_text(encoding="utf-8"), encoding="utf-8"
                )
            reach = terms * max(abs(w.lo), w.hi) * max(abs(x.lo), x.hi)
            parameters = {
                "TERMS": terms, "W_BITS": w.bits, "W_KIND": kind(w), "X_BITS": x.bits, "X_KIND": kind(x),
                "SUM": value_bits(IntType.for_range(-reach, reach)), "STAGES": terms.bit_length() // 2,
            }  # fmt: skip
            cells = cells_of(
                Path(scratch), sources, "flowc_dot", "xcup", dsp=False, timeout=1800, what=name, parameters=parameters
            )
        found = count(cells, "xcup")
        record[name] = {"terms": terms, **found}
        rows.append([name, str(terms), f"{found['lut']:,}", f"{found['lut'] / terms:.1f}", f"{most:g}"])
        print(*rows[-1], flush=True)
    return markdown(["bits", "terms>", "LUT>", "LUT per product>", "at most>"], rows)


def finn(record: dict[str, Any], *, matrix: bool) -> str:
    """Units of the shapes of FINN's RTL library: its matrix units, or its windows and thresholds."""
    named = [(name, unit) for name, unit in zip(FINN, finn_units(), strict=True) if (unit.kind == "mvtu") == matrix]
    units = [unit.with_(structure="pipeline") for _, unit in named]
    found = {unit["name"]: unit for unit in pieces(alone(units), {unit.name for unit in units})}
    rows = []
    for name, unit in named:
        theirs = FINN[name]
        ours = record[name] = {key: found[unit.name][key] for key in KEYS}
        both = [(ours["lut"], theirs.lut), (ours["bram18"], theirs.bram18), (ours["dsp"], theirs.dsp)]
        rows.append([name, *(f"{own:,} / {other:,}" for own, other in both)])
        print(*rows[-1], flush=True)
    return markdown(["unit", "LUT: flowc / FINN>", "BRAM18>", "DSP>"], rows)


def compared(entries: Iterable[Mapping[str, Any]], record: dict[str, Any]) -> list[list[str]]:
    """Rows of the model beside the measurement."""
    rows = []
    for unit in entries:
        model = unit["model"]
        record[unit["name"]] = {key: [unit[key], model[key]] for key in KEYS}
        rows.append([unit["name"], *_against(unit, model)])
        print(*rows[-1], flush=True)
    return rows


def _against(unit: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    return [
        f"{model['lut']:,}", f"{unit['lut']:,}", f"{model['lut'] / max(1, unit['lut']) - 1:+.0%}",
        f"{model['ff']:,} / {unit['ff']:,}", f"{model['bram18']} / {unit['bram18']}", f"{model['dsp']} / {unit['dsp']}",
    ]  # fmt: skip


MODEL_HEAD = ("unit", "LUT: model>", "yosys>", "error>", "FF: model / yosys>", "BRAM18>", "DSP>")


GROUPS: dict[str, Callable[[], Iterable[Unit]]] = {
    "fitted": model_units, "probes": probe_units, "packed": packed_units, "drawn": drawn_units, "thresholds": threshold_units,
    "drawn-thresholds": drawn_thresholds, "requantizers": requantizer_units,
}  # fmt: skip
"""Units whose figures the formulas' constants were fitted to; of kinds that were not; whose products share slices; of shapes that are
drawn; thresholds by themselves, and such of shapes that are drawn; units with requantizers whose levels are entered late, and joins."""


def spread(record: dict[str, Any], only: str | None) -> tuple[str, str]:
    """The cost model beside yosys, unit by unit, and how far it is off. Of groups that are left out the record's figures are taken."""
    chosen = {group: [unit.with_(structure="pipeline") for unit in make()] for group, make in GROUPS.items()}
    units = [unit for group, members in chosen.items() if only in (None, group) for unit in members]
    found = {unit["name"]: unit for unit in pieces(alone(units), {unit.name for unit in units})} if units else {}
    rows, off = [], []
    for group, members in chosen.items():
        if only not in (None, group) and group not in record:  # never synthesized
            continue
        known = record.get(group, {})
        own = record[group] = {}
        rows += compared((found.get(unit.name) or _again(unit, known[unit.name]) for unit in members), own)
        off += [error_row(title, figures) for title, figures in _kinds(group, members, own) if figures]
    return markdown(MODEL_HEAD, rows), markdown(ERROR_HEAD, off)


def _again(unit: Unit, known: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The entry of a unit as it was measured, with the model's figures of now."""
    return {"name": unit.name, **{key: known[key][0] for key in KEYS}, "model": unit.resources.as_dict()}


def _kinds(
    group: str, members: Iterable[Unit], own: Mapping[str, Any]
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Of a group: matrix units, windows, thresholds, others, and what was recorded of each."""
    if "thresholds" in group:
        yield group.replace("-", ": "), [own[unit.name] for unit in members]
        return
    for title, kinds in (("matrix units", {"mvtu"}), ("windows", {"window"}), ("others", {"vvtu", "pool", "join"})):
        yield f"{group}: {title}", [own[unit.name] for unit in members if unit.kind in kinds]


ERROR_HEAD = (
    "",
    "units>",
    "LUT: median>",
    "too dear, at most>",
    "too cheap, at most>",
    "FF: median>",
    "too dear>",
    "too cheap>",
)


def error_row(title: str, figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """How far the model is off over some entries of the record, [yosys, model] each; those that take none are left out."""
    cells = [title, str(len(figures))]
    for key in ("lut", "ff"):
        off = [figure[key][1] / figure[key][0] - 1 for figure in figures if figure[key][0]]
        cells += [f"{median(map(abs, off)):.1%}", f"{max(0.0, *off):+.0%}", f"{min(0.0, *off):+.0%}"]
    return cells


def networks(record: dict[str, Any], only: str | None) -> tuple[str, str, str]:
    """Every unit and FIFO of whole networks: totals against what they may be, kinds of units against the model, errors of the units."""
    totals, models, off = [], [], []
    for name, network in NETWORKS.items():
        if only in (None, name):
            record[name] = {}
            entries = pieces(folded(network))
            compared(entries, record[name].setdefault("units", {}))
            grouped = [
                _sum(group, [e for e in entries if e["unit"] == group])
                for group in dict.fromkeys(e["unit"] for e in entries)
            ]
            compared([*grouped, _sum("all", entries)], record[name].setdefault("kinds", {}))
            record[name]["of"] = {e["name"]: e["unit"] for e in entries}
        if name not in record:  # never synthesized
            continue
        kept = record[name]
        for group, figures in kept["kinds"].items():
            entry = {key: figures[key][0] for key in KEYS} | {"model": {key: figures[key][1] for key in KEYS}}
            models.append([f"{name}: {group}", *_against(entry, entry["model"])])
        whole = kept["kinds"]["all"]
        allowed = ", ".join(f"{v:,} {k}" for k, v in network.most.items()) or "-"
        totals.append([name, *(f"{whole[k][0]:,}" for k in KEYS), allowed])
        for title, kinds in (("matrix units", {"mvtu"}), ("windows", {"window"})):
            chosen = [kept["units"][unit] for unit, kind in kept["of"].items() if kind in kinds]
            off += [error_row(f"{name}: {title}", chosen)] if chosen else []
    return (
        markdown(["network", "LUT>", "FF>", "BRAM18>", "DSP>", "at most"], totals),
        markdown(MODEL_HEAD, models),
        markdown(ERROR_HEAD, off),
    )


def _sum(name: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total = {key: sum(e[key] for e in entries) for key in KEYS}
    return {"name": name, **total, "model": {key: sum(e["model"][key] for e in entries) for key in KEYS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("dots", "finn", "matrix", "units", "networks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which of {', '.join(parts)}; by default all")
    parser.add_argument("--only", choices=[*NETWORKS, *GROUPS], help="of the networks, or groups of units, this one")
    parser.add_argument("--write", action="store_true", help="write the tables into the pages, and the record")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"there is no part '{min(unknown)}'; the parts are {', '.join(parts)}")
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    texts: list[tuple[str, str, str]] = []
    for part in arguments.parts or parts:
        found = record[part] = record.get(part, {}) if part in ("networks", "units") and arguments.only else {}
        if part == "dots":
            texts.append(("rtl.md", "dots", dots(found)))
        elif part in ("finn", "matrix"):
            texts.append(("comparison.md", part, finn(found, matrix=part == "matrix")))
        elif part == "units":
            units, errors = spread(found, arguments.only)
            texts += [("cost-model.md", "units", units), ("cost-model.md", "errors", errors)]
        else:
            totals, models, errors = networks(found, arguments.only)
            texts += [("rtl.md", "networks", totals), ("cost-model.md", "networks", models)]
            texts.append(("cost-model.md", "network-errors", errors))
    if arguments.write:
        for page, name, text in texts:
            if f"<!-- {name} -->" in (DOCS / page).read_text(encoding="utf-8"):
                fill(DOCS / page, name, text)
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
