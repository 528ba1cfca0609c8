"""What allocation reaches on known networks, beside FINN's figures: rates, resources under two models, seconds.

Run from the repository: ``python -m benchmarks.allocation [--json FILE]``. All figures are modelled; intervals and
latencies are simulated. FINN's own estimates (main branch of April 2026) and published boards stand beside them.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.finn_model import finn_estimate
from benchmarks.networks import cnv, mobilenet_v1, resnet18
from flowc.allocate import allocate
from flowc.dataflow import Dataflow
from flowc.errors import InfeasibleError
from flowc.targets import load_target


@dataclass(frozen=True)
class Case:
    """One line: the network, where and how fast, and what FINN says of the same."""

    network: Callable[[], Dataflow]
    target: str
    clock_mhz: float
    fps: float | None
    finn: str = "-"


CASES = (
    Case(lambda: cnv(1), "ultra96", 100, 1_000, "1,017 fps, 14,526 LUT, 121 BRAM18, 9.4 ms"),
    Case(lambda: cnv(1), "ultra96", 100, 3_000, "3,028 fps, 25,785 LUT, 140 BRAM18, 4.3 ms"),
    Case(lambda: cnv(1), "ultra96", 100, 10_000, "7,972 fps (missed), 59,873 LUT, 249 BRAM18, 1.6 ms"),
    Case(lambda: cnv(1), "ultra96", 100, None, "does not know the device"),
    Case(lambda: cnv(2), "ultra96", 100, 3_000, "3,028 fps, 43,986 LUT, 277 BRAM18"),
    Case(lambda: cnv(2), "ultra96", 100, None, "does not know the device"),
    Case(lambda: mobilenet_v1(4), "ultra96", 100, None, "does not know the device"),
    Case(lambda: mobilenet_v1(4), "zcu104", 200, None, "does not know the device"),
    Case(lambda: mobilenet_v1(4), "u250", 250, None, "1,980 fps on the board"),
    Case(lambda: resnet18(4), "zcu102", 200, None, "fails on the network"),
    Case(lambda: resnet18(4), "u250", 250, None, "fails on the network"),
)


def run(case: Case) -> dict[str, Any]:
    graph, target = case.network(), load_target(case.target)
    head = {"network": graph.name, "target": case.target, "clock_mhz": case.clock_mhz, "wanted_fps": case.fps}
    start = time.perf_counter()
    try:
        found = allocate(graph, target, clock_mhz=case.clock_mhz, fps=case.fps)
    except InfeasibleError as error:
        return {**head, "error": error.message, "seconds": time.perf_counter() - start, "finn": case.finn}
    seconds = time.perf_counter() - start
    return {
        **head,
        "fps": found.fps,
        "interval_cycles": found.interval_cycles,
        "slowest_unit_cycles": max(u.cycles for u in found.graph),
        "latency_ms": found.latency_cycles / found.clock_mhz / 1e3,
        **found.resources.as_dict(),
        "available": dict(found.available),
        "finn_formulas": asdict(finn_estimate(found.graph)),
        "finn_formulas_with_thresholds": asdict(finn_estimate(found.graph, thresholds=True)),
        "finn": case.finn,
        "seconds": seconds,
    }


def show(row: dict[str, Any]) -> None:
    wanted = "as fast as fits" if row["wanted_fps"] is None else f"{row['wanted_fps']:,.0f} fps wanted"
    print(f"{row['network']} on {row['target']}, {row['clock_mhz']} MHz, {wanted} ({row['seconds']:.1f} s)")
    if "error" in row:
        print(f"    flowc          {row['error']}")
    else:
        second, strict = row["finn_formulas"], row["finn_formulas_with_thresholds"]
        print(
            f"    flowc          {row['fps']:,.0f} fps, {row['lut']:,} LUT, {row['bram18']} BRAM18, {row['uram']} URAM, "
            f"{row['dsp']} DSP, {row['latency_ms']:.2f} ms; interval {row['interval_cycles']:,} = slowest unit "
            f"{row['slowest_unit_cycles']:,}"
        )
        print(
            f"    FINN formulas  {second['lut']:,} LUT, {second['bram18']} BRAM18, {second['dsp']} DSP on flowc's folding "
            f"(thresholds in LUTs counted: {strict['lut']:,} LUT)"
        )
    print(f"    FINN           {row['finn']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    rows = []
    for case in CASES:
        rows.append(run(case))
        show(rows[-1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MB")
    arguments = parser.parse_args()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
