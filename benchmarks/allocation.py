"""What allocation reaches on known networks, beside FINN's figures: rates, resources under two models, seconds, memory.

Run from the repository: ``python -m benchmarks.allocation [--json FILE] [--write]``. All resources are modelled; intervals and
latencies are simulated. The CNV networks are Brevitas' own, exported and read as any model, where Brevitas is installed (``pip
install 'flowc[brevitas]'``); else, and all others, graphs of the same shapes. Ends with exit code 1 if a figure to reach is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.finn_model import Estimate, finn_estimate
from benchmarks.networks import brevitas_cnv, cnv, mobilenet_v1, resnet18
from benchmarks.tables import fill, markdown
from flowc.dataflow.allocate import Allocation, allocate, simulate
from flowc.errors import InfeasibleError
from flowc.targets import load_target
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow

PAGE = Path(__file__).parents[1] / "docs" / "cost-model.md"
SILENT = "the device is no part of its estimates"
FAILS = "fails on this network"
FRAMES = 200
"""Most frames that are simulated until the interval is steady: equally slow layers in a row fill one after the other."""


@dataclass(frozen=True)
class Case:
    """One line: the network, where and how fast, and what FINN says of the same.

    FINN's figures are those of its estimate reports (main branch of April 2026), run on Brevitas' networks, unless a board is named:
    then they are its publications'.
    """

    key: str
    network: Callable[[], Dataflow]
    target: str
    clock_mhz: float
    fps: float | None
    finn: str


@dataclass(frozen=True)
class Row:
    """What came of a case. ``found`` is None where it does not fit, and ``error`` then says why."""

    case: Case
    graph: Dataflow
    seconds: float
    found: Allocation | None = None
    error: str = ""
    interval: int = 0

    @property
    def slowest(self) -> int:
        """Cycles of the slowest unit."""
        return max(u.cycles for u in self.found.graph) if self.found is not None else 0


def cases() -> list[Case]:
    one, two = (brevitas_cnv(bits) for bits in (1, 2))
    first, second = (lambda: one or cnv(1)), (lambda: two or cnv(2))
    return [
        Case("cnv1 1000", first, "ultra96", 100, 1_000, "1,017 fps, 14,526 LUT, 121 BRAM18, 9.4 ms"),
        Case("cnv1 3000", first, "ultra96", 100, 3_000, "3,028 fps, 25,785 LUT, 140 BRAM18, 4.3 ms"),
        Case("cnv1 10000", first, "ultra96", 100, 10_000, "7,972 fps (missed), 59,873 LUT, 249 BRAM18, 1.6 ms"),
        Case("cnv1 best", first, "ultra96", 100, None, SILENT),
        Case("cnv2 3000", second, "ultra96", 100, 3_000, "3,028 fps, 43,986 LUT, 277 BRAM18"),
        Case("cnv2 best", second, "ultra96", 100, None, SILENT),
        Case("mobilenet ultra96", lambda: mobilenet_v1(4), "ultra96", 100, None, SILENT),
        Case("mobilenet zcu104", lambda: mobilenet_v1(4), "zcu104", 200, None, SILENT),
        Case("mobilenet u250", lambda: mobilenet_v1(4), "u250", 250, None, "1,980 fps on the board"),
        Case("resnet zcu102", lambda: resnet18(4), "zcu102", 200, None, FAILS),
        Case("resnet u250", lambda: resnet18(4), "u250", 250, None, FAILS),
    ]


def run(case: Case) -> Row:
    graph, target = case.network(), load_target(case.target)
    start = time.process_time()  # one thread: seconds of a machine with nothing else to do
    try:
        found = allocate(graph, target, clock_mhz=case.clock_mhz, fps=case.fps)
    except InfeasibleError as error:
        return Row(case, graph, time.process_time() - start, error=error.message)
    seconds = time.process_time() - start
    slowest = max(u.cycles for u in found.graph)
    return Row(case, graph, seconds, found, interval=simulate(found.graph, FRAMES, settled=slowest).interval or 0)


def label(row: Row) -> str:
    wanted = "as fast as fits" if row.case.fps is None else f"{row.case.fps:,.0f} fps"
    return f"{row.graph.name}, {row.case.target} at {row.case.clock_mhz:g} MHz, {wanted}"


def line(row: Row) -> list[str]:
    """The cells of a row of the table."""
    if row.found is None:
        return [label(row), row.error, "-", "-", row.case.finn, f"{row.seconds:.1f}"]
    second, strict = finn_estimate(row.found.graph), finn_estimate(row.found.graph, thresholds=True)
    return [
        label(row),
        f"{row.found.fps:,.0f} fps, {row.found.latency_cycles / row.found.clock_mhz / 1e3:.2f} ms",
        amounts(row.found.resources),
        f"{amounts(second)} ({strict.lut:,} LUT with thresholds)",
        row.case.finn,
        f"{row.seconds:.1f}",
    ]


def amounts(used: Resources | Estimate) -> str:
    """What is used of each resource; zeros are left out."""
    named = (("LUT", used.lut), ("BRAM18", used.bram18), ("URAM", used.uram), ("DSP", used.dsp))
    return ", ".join(f"{value:,} {name}" for name, value in named if value)


def goals(rows: dict[str, Row], peak_mb: int) -> Iterator[tuple[str, str, bool]]:
    """(figure to reach, what was reached, whether it holds)."""

    def both(key: str, fps: float, lut: int, bram18: int) -> tuple[str, bool]:
        found = rows[key].found
        if found is None:
            return rows[key].error, False
        own, finn = found.resources, finn_estimate(found.graph)
        luts, blocks = (own.lut or 0, finn.lut), (own.bram18 or 0, finn.bram18)
        text = f"{found.fps:,.0f} fps; {luts[0]:,} and {luts[1]:,} LUT; {blocks[0]} and {blocks[1]} BRAM18"
        return text, found.fps >= fps and max(luts) <= lut and max(blocks) <= bram18

    wanted = "≥ 3,000 fps with ≤ 22,500 LUT, ≤ 125 BRAM18, by flowc's model and FINN's formulas (FINN: 25,785; 140)"
    yield f"CNV 1W1A on ultra96, 100 MHz: {wanted}", *both("cnv1 3000", 3_000, 22_500, 125)
    best = rows["cnv1 best"].found
    reached = f"{best.fps:,.0f} fps, fits" if best is not None else rows["cnv1 best"].error
    yield "the same as fast as fits: ≥ 10,000 fps (FINN: 7,972)", reached, best is not None and best.fps >= 10_000
    wanted = "≥ 3,000 fps below FINN's 43,986 LUT and 277 BRAM18, both models"
    yield f"CNV 2W2A on ultra96, 100 MHz: {wanted}", *both("cnv2 3000", 3_000, 43_985, 276)
    fits, misfit = rows["mobilenet zcu104"].found, rows["mobilenet ultra96"]
    reached = f"{fits.fps:,.0f} fps" if fits is not None else rows["mobilenet zcu104"].error
    yield "MobileNetV1 4 bit: best fit on zcu104", reached, fits is not None and fits.fits
    said = misfit.found is None and "does not fit" in misfit.error and "needed of" in misfit.error
    yield "MobileNetV1 4 bit on ultra96: does not fit, said with numbers", misfit.error or "fits", said
    off = max(abs(r.interval / r.slowest - 1) for r in rows.values() if r.found is not None)
    yield (
        "simulated interval within 1% of the slowest unit's cycles, all of the above",
        f"{off:.2%} off at most",
        off <= 0.01,
    )
    for name, kind, limit in (("CNV", "cnv", 2), ("ResNet-18", "resnet", 8), ("MobileNetV1", "mobilenet", 8)):
        worst = max(r.seconds for key, r in rows.items() if key.startswith(kind))
        yield (
            f"allocation with FIFO sizing, {name}: ≤ {limit} s (FINN: hours of RTL simulation)",
            f"{worst:.1f} s",
            worst <= limit,
        )
    yield "memory ≤ 1 GB", f"{peak_mb} MB", peak_mb <= 1024


def as_json(row: Row) -> dict[str, Any]:
    head = {k: v for k, v in asdict(row.case).items() if k != "network"} | {"network": row.graph.name}
    if row.found is None:
        return {**head, "error": row.error, "seconds": row.seconds}
    return {
        **head,
        "reached_fps": row.found.fps,
        "interval_cycles": row.interval,
        "slowest_unit_cycles": row.slowest,
        "latency_ms": row.found.latency_cycles / row.found.clock_mhz / 1e3,
        **row.found.resources.as_dict(),
        "available": dict(row.found.available),
        "finn_formulas": asdict(finn_estimate(row.found.graph)),
        "finn_formulas_with_thresholds": asdict(finn_estimate(row.found.graph, thresholds=True)),
        "seconds": row.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    arguments = parser.parse_args()
    rows = {}
    for case in cases():
        rows[case.key] = row = run(case)
        cells = line(row)
        print(f"{cells[0]} ({row.seconds:.1f} s)")
        for title, cell in zip(("flowc", "", "FINN's formulas", "FINN"), cells[1:], strict=False):
            print(f"    {title:16s} {cell}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    reached = list(goals(rows, peak))
    print()
    for wanted, got, holds in reached:
        print(f"{'reached' if holds else 'MISSED '}  {wanted}: {got}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([as_json(row) for row in rows.values()], indent=1) + "\n")
    if arguments.write:
        head = [
            "network, board, rate",
            "reached",
            "flowc's model",
            "FINN's formulas, same folding",
            "FINN itself",
            "s>",
        ]
        table = markdown(head, map(line, rows.values()))
        summary = markdown(
            ["to reach", "reached", ""], [[w, g, "yes" if holds else "**no**"] for w, g, holds in reached]
        )
        fill(PAGE, "allocation", f"{table}\n{summary}")
    if not all(holds for _, _, holds in reached):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
