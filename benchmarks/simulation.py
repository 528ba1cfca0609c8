"""Everything that flowc writes as SystemVerilog, in Verilator, with and without stalls.

    python -m benchmarks.simulation [MODEL.onnx | FOLDER ...] [--fps N] [--target BOARD] [--input-type TYPE]
                                    [--together] [--constructs] [--pixels N] [--nets N] [--again]

``--constructs``: all constructs of the tests. ``--pixels N``: N random designs that take several pixels per cycle. ``--nets N``: N random
nets of tests/fuzz. Models are built for a board with ``--rtlsim``. Each design is run once as fast as it goes, and once with 35
(models: 30) of 100 cycles held back at random on every side of every stream; all streams are compared with the emulator beat by beat,
cycles with the model's, and what FIFOs held with their depths.

What was found goes into benchmarks/records/simulation.json, with the commit that changed flowc or its modules last, and a table of it into
docs/rtl.md. Designs that are there are left out, so that a run that was stopped goes on; with --again they are run anew. Exit code 4 if
anything differs. All constructs take about five minutes of one processor.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import flowc
from benchmarks.provenance import changed
from benchmarks.simulation_designs import CASES, Make, construct, of_several_pixels, random_design
from benchmarks.tables import fill, markdown
from flowc.backends.rtl.wiring import wires
from flowc.design import rtlsim
from flowc.errors import FlowcError
from tests.backends.rtl.beside import Ran, random_frames, side_by_side

DOCS = Path(__file__).parents[1] / "docs"
RECORD = Path(__file__).with_name("records") / "simulation.json"
KINDS = {
    "constructs": "constructs of the tests", "pixels": "random designs of several pixels per cycle", "nets": "random nets",
    "models": "models",
}  # fmt: skip
TOGETHER = 16
"""Designs that are compiled as one."""

Record = dict[str, dict[str, dict[str, Any]]]


def small(kind: str, makes: Mapping[str, Make], record: Record) -> None:
    """Simulates designs, so many at a time, and writes the record after each time."""
    names = [name for name in makes if name not in record[kind]]
    for start in range(0, len(names), TOGETHER):
        chosen = names[start : start + TOGETHER]
        made = [makes[name]() for name in chosen]
        rng = np.random.default_rng(start)
        frames = [random_frames(graph, rng) for graph, _ in made]
        with tempfile.TemporaryDirectory(prefix="flowc-simulation-") as scratch:
            found = side_by_side([graph for graph, _ in made], frames, Path(scratch), seed=1 + start)
        for name, (graph, about), ran in zip(chosen, made, found, strict=True):
            record[kind][name] = {
                "sources": changed("flowc", "templates"),
                **about,
                "units": len(graph.units),
                **entry(ran),
            }
            show(name, record[kind][name])
        write(record)


def entry(ran: Ran) -> dict[str, Any]:
    return {
        "beats": ran.beats, "interval": ran.interval, "model_interval": ran.predicted.interval, "latency": ran.latency,
        "model_latency": ran.predicted.latency, "wrong": list(ran.wrong),
    }  # fmt: skip


def model(path: Path, target: str, fps: float, input_type: str | None) -> dict[str, Any]:
    """A model built for a board and simulated as ``flowc verify --rtlsim`` does; what flowc refuses has its reason under "refused"."""
    asked = {"target": target, "fps": fps, **({"input_type": input_type} if input_type else {})}
    with tempfile.TemporaryDirectory(prefix="flowc-simulation-") as scratch:
        folder = Path(scratch) / "design"
        try:
            built = flowc.build(
                str(path), target, fps=fps, input_type=input_type, backend="rtl", output=folder, verify=False
            )
        except FlowcError as error:
            return {**asked, "refused": str(error)}
        found, wrong = rtlsim.compare(built, folder)
    said = [] if wrong is None else [str(wrong)]
    for stream, wire in wires(built.graph).items():
        (held,) = (f["held"] for f in found["fifos"] if (f["from"], f["to"]) == (stream.src, stream.dst))
        if held > wire.depth + (wire.style in ("block", "ultra")):
            said.append(f"{wire.name} held {held} beats, {wire.depth} deep")
    beats = sum(built.graph.frame(s).elements // built.graph[s.src].out_widths[s.src_port] for s in built.graph.streams)
    return {
        **asked, "units": len(built.graph.units), "beats": beats * found["frames"], "interval": found["interval_cycles"],
        "model_interval": found["model_interval_cycles"], "latency": found["latency_cycles"],
        "model_latency": found["model_latency_cycles"], "wrong": said,
    }  # fmt: skip


def opened(
    paths: Mapping[str, Path], target: str, fps: float, input_type: str | None, record: Record
) -> dict[str, Make]:
    """Models to be simulated side by side; of those that flowc refuses the record has the reason."""
    about = {"target": target, "fps": fps, **({"input_type": input_type} if input_type else {})}
    makes: dict[str, Make] = {}
    for name, path in paths.items():
        try:
            built = flowc.build(str(path), target, fps=fps, input_type=input_type, backend="rtl", verify=False)
        except FlowcError as error:
            record["models"][name] = {"sources": changed("flowc", "templates"), **about, "refused": str(error)}
            show(name, record["models"][name])
            write(record)
            continue
        makes[name] = partial(lambda graph: (graph, about), built.graph)
    return makes


def show(name: str, found: Mapping[str, Any]) -> None:
    said = "  ".join(
        f"{key} {value}"
        for key, value in found.items()
        if key in ("interval", "latency", "model_latency", "wrong", "refused")
    )
    print(f"{name:58} {said}", flush=True)


def write(record: Record) -> None:
    """The record, a line per design."""
    lines = []
    for kind, found in record.items():
        rows = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in found.items()]
        lines.append(f' "{kind}": {{\n' + ",\n".join(rows) + "\n }")
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def table(record: Record) -> str:
    """Per kind: designs, compared beats, how many differ in something, and the latencies beside the model's."""
    rows = []
    for kind, found in record.items():
        ran = [one for one in found.values() if "latency" in one]
        if ran:
            parts = sorted(one["latency"] / one["model_latency"] for one in ran)
            rows.append([
                KINDS[kind], str(len(ran)), f"{sum(one['beats'] for one in ran):,}", str(sum(bool(one["wrong"]) for one in ran)),
                str(sum(one["interval"] == one["model_interval"] for one in ran)), f"{parts[0]:.0%} to {parts[-1]:.0%}",
            ])  # fmt: skip
    heads = [
        "what",
        "designs>",
        "beats compared>",
        "with a difference>",
        "interval equal>",
        "latency beside the model's>",
    ]
    return markdown(heads, rows)


def onnx_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.onnx")) if path.is_dir() else [path]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="ONNX files, and folders of them")
    parser.add_argument("--fps", type=float, default=3000.0, help="frames per second of the models (default 3000)")
    parser.add_argument("--target", default="zcu104", help="board of the models (default zcu104)")
    parser.add_argument("--input-type", metavar="TYPE", help="integers of the models' float inputs, as of flowc build")
    parser.add_argument(
        "--together", action="store_true", help="models side by side, as constructs are: sooner if small"
    )
    parser.add_argument("--constructs", action="store_true", help="all constructs")
    parser.add_argument(
        "--pixels", type=int, default=0, metavar="N", help="N random designs of several pixels per cycle"
    )
    parser.add_argument("--nets", type=int, default=0, metavar="N", help="N random nets")
    parser.add_argument("--again", action="store_true", help="also what is in the record")
    arguments = parser.parse_args()
    record: Record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {kind: {} for kind in KINDS}
    chosen: dict[str, dict[str, Make]] = {
        "constructs": {name: partial(construct, name) for name in CASES if arguments.constructs},
        "pixels": {f"seed {seed}": partial(of_several_pixels, seed) for seed in range(arguments.pixels)},
        "nets": {f"seed {seed}": partial(random_design, seed) for seed in range(arguments.nets)},
    }
    models = {path.stem: path for path in onnx_files(arguments.models)}
    if arguments.again:
        for kind, names in [*chosen.items(), ("models", models)]:
            record[kind] = {name: one for name, one in record[kind].items() if name not in names}
    for kind, makes in chosen.items():
        small(kind, makes, record)
    if arguments.together:
        new = {name: path for name, path in models.items() if name not in record["models"]}
        small("models", opened(new, arguments.target, arguments.fps, arguments.input_type, record), record)
        models = {}
    for name, path in models.items():
        if name not in record["models"]:
            found = model(path, arguments.target, arguments.fps, arguments.input_type)
            record["models"][name] = {"sources": changed("flowc", "templates"), **found}
            show(name, record["models"][name])
            write(record)
    fill(DOCS / "rtl.md", "simulated", table(record))
    return 4 if any(one.get("wrong") for found in record.values() for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
