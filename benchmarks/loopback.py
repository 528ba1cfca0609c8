"""Loopback execution in figures: the engine that is chosen for a network and a board, and what it gives.

    python -m benchmarks.loopback [--cases NAME,...] [--model NAME=FILE.onnx ...] [--count] [--json FILE] [--page]

A case is ``network@board``, with ``/1`` behind it for one image at a time. Networks: resnet18, mobilenetv1 (4 bits, from
`benchmarks.models`), resnet50-8b, resnet50-4b, vgg16-8b, vgg16-4b (shapes with random weights, `benchmarks.large_networks`), and what
--model names. All figures are modelled. With --count the chosen engine's C++ is compiled and runs the network, a group of images in its
lanes; the cycles that it counts stand beside the model's. The record goes to benchmarks/records/loopback.json, cases that are not named
stay in it; --page writes its table into docs/loopback.md. Exit code 1 where a case that has a goal misses it, or counted cycles differ
by 1 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.large_networks import resnet50, vgg16
from benchmarks.models import write_model
from benchmarks.provenance import commit
from benchmarks.tables import fill, markdown
from flowc.backends.hls.loopback import compile_engine, run_engine, write_engine
from flowc.dataflow.allocate import Limits
from flowc.dataflow.emulator import unfolded
from flowc.loopback.allocate import Allocation, Wish, allocate, engine_clock
from flowc.loopback.cost import costs_of
from flowc.loopback.figures import figures_of
from flowc.loopback.program import Program, compile_network
from flowc.loopback.ranges import fit_all
from flowc.loopback.words import Fit
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["GOALS", "figures", "random_memory", "table"]

_ROOT = Path(__file__).resolve().parents[1]
RECORD = _ROOT / "benchmarks" / "records" / "loopback.json"
_PAGE = _ROOT / "docs" / "loopback.md"
_CACHE = _ROOT / ".cache" / "models"
_NEAR = 0.01

GOALS: dict[str, float | None] = {
    "resnet18@ultra96": 500, "resnet18@ultra96/1": 300, "mobilenetv1@ultra96": 300, "resnet50-8b@ultra96": 33.5,
    "resnet18@kv260": 1500, "resnet18@zcu104": 2500, "resnet18@pynq-z2": 180, "resnet50-4b@ultra96": None, "vgg16-8b@ultra96": None,
    "vgg16-4b@ultra96": None, "mobilenetv1@zcu104": None,
}  # fmt: skip
"""The cases, and the frames per second that are wanted of them."""


def _zoo(name: str) -> Callable[[], Dataflow]:
    return lambda: unfolded(compile_model(write_model(name, _CACHE)).graph)


_NETWORKS: dict[str, Callable[[], Dataflow]] = {
    "resnet18": _zoo("resnet18-4w4a"),
    "mobilenetv1": _zoo("mobilenetv1-4w4a"),
    "resnet50-8b": lambda: unfolded(resnet50(8)),
    "resnet50-4b": lambda: unfolded(resnet50(4)),
    "vgg16-8b": lambda: unfolded(vgg16(8)),
    "vgg16-4b": lambda: unfolded(vgg16(4)),
}


@dataclass
class Network:
    """A network, read when it is needed."""

    make: Callable[[], Dataflow]

    @cached_property
    def graph(self) -> Dataflow:
        """Unfolded."""
        return self.make()

    @cached_property
    def fits(self) -> Mapping[str, Fit | None]:
        """Its activations as the engine applies them."""
        return fit_all(self.graph)


def random_memory(program: Program, seed: int = 0) -> Array:
    """The external memory before a run, uint8, with random inputs of the whole range."""
    rng = np.random.default_rng(seed)
    memory = program.fresh_memory()
    for name, port in program.network.entries:
        view, kind = program.network.views[name, port], program.graph[name].outputs[port].dtype
        frames = rng.integers(kind.lo, kind.hi + 1, (program.batch, view.storage.h, view.storage.w, len(view.slots)))
        program.write(memory, view, frames)
    return memory


def figures(case: str, network: Network, count: bool) -> dict[str, Any]:
    """The record of a case."""
    _, _, place = case.partition("@")
    board, _, single = place.partition("/")
    target = load_target(board)
    budget = Limits().budget(target)
    fits = network.fits
    start = time.process_time()
    wish = Wish(batch=int(single) if single else None)
    found = allocate(network.graph, fits, target, clock_mhz=engine_clock(target), budget=budget, wish=wish)
    seconds = time.process_time() - start
    said = figures_of(found, target, budget)
    traffic, engine = said["traffic"], said["engine"]
    cycles = sum(layer["cycles"] for layer in said["layers"])
    record: dict[str, Any] = {
        "case": case,
        "goal_fps": GOALS.get(case),
        "fps": said["fps"],
        "latency_ms": said["latency_ms"],
        "clock_mhz": said["clock_mhz"],
        "batch": said["batch"],
        "engine": {
            k: engine[k] for k in ("rows", "columns", "dsp_lanes", "lut_lanes", "digit", "results", "act_words", "weight_words")
        },
        "used": {k: v / said["available"][k] for k, v in said["resources"].items() if said["available"][k]},
        "utilization": said["roofline"]["reached_gops"] / said["roofline"]["peak_gops"],
        "time_bound_by_memory": sum(x["cycles"] for x in said["layers"] if x["binds"] == "memory") / cycles,
        "mbytes_per_image": traffic["bytes_per_image"] / 1e6,
        "traffic_to_bound": traffic["bytes_per_image"] / traffic["lower_bound_bytes"],
        "gbytes_per_s": traffic["gbytes_per_s"],
        "available_gbytes_per_s": traffic["available_gbytes_per_s"],
        "host": [step["unit"] for step in said["host"]],
        "allocation_cpu_s": round(seconds, 1),
        "commit": commit(),
    }  # fmt: skip
    if count:
        record["cycles"] = counted(found, target.part)
    return record


def counted(found: Allocation, part: str) -> dict[str, Any]:
    """Cycles of one group of images, as the compiled engine counts them and as the model says without the external memory's rate."""
    e, stripes = found.program.engine, found.program.stripes
    program = found.program
    if not stripes:
        program = compile_network(program.network, program.graph, e, batch=e.lanes, memory=found.memory)
    with tempfile.TemporaryDirectory(prefix="flowc-engine-") as folder:
        write_engine(e, Path(folder), part=part, header="a benchmark")
        run = run_engine(compile_engine(Path(folder)), program, random_memory(program))
    modelled = sum(c.cycles for c in costs_of(program.segments, program.blocks, e, None))
    cycles = sum(run.cycles) + sum(run.tails)
    return {"images": program.batch, "counted": cycles, "modelled": modelled, "difference": cycles / modelled - 1}


def good(record: Mapping[str, Any]) -> bool:
    """Whether a case reaches its goal, and its cycles are the model's."""
    reached = record["goal_fps"] is None or record["fps"] >= record["goal_fps"]
    return reached and abs(record.get("cycles", {}).get("difference", 0)) <= _NEAR


def line(r: Mapping[str, Any]) -> list[str]:
    """A row of the table."""
    e, used = r["engine"], r["used"]
    lanes = f"({e['dsp_lanes']}d + {e['lut_lanes']}l)"
    cycles = r.get("cycles")
    return [
        r["case"],
        f"{e['rows']} x {e['columns']} x {lanes} of {e['digit']} bits, {r['clock_mhz']:.0f} MHz",
        f"{r['batch']}",
        f"{r['fps']:,.1f}" + (f" ({r['goal_fps']:g})" if r["goal_fps"] else ""),
        f"{r['latency_ms']:.1f}",
        f"{r['utilization']:.0%}",
        f"{used['lut']:.0%} / {used['dsp']:.0%} / {used['bram18']:.0%}",
        f"{r['mbytes_per_image']:.2f} ({r['traffic_to_bound']:.2f})",
        f"{r['gbytes_per_s']:.2f} of {r['available_gbytes_per_s']:.2f}",
        f"{r['time_bound_by_memory']:.0%}",
        f"{cycles['counted']:,} ({cycles['difference']:+.3%})" if cycles else "",
    ]


_HEAD = (
    "network@board", "engine", "batch>", "fps (goal)>", "ms per batch>", "array used>", "LUT / DSP / BRAM>", "MB per image (to bound)>",
    "GB/s>", "time bound by memory>", "cycles counted (to model)>",
)  # fmt: skip


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """All rows in Markdown."""
    return markdown(_HEAD, [line(r) for r in records])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(GOALS))
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--json", type=Path, default=RECORD)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    networks = {name: Network(make) for name, make in _NETWORKS.items()}
    for given in options.model:
        name, _, path = given.partition("=")
        networks[name] = Network(lambda path=path: unfolded(compile_model(path).graph))
    stored = json.loads(options.json.read_text(encoding="utf-8"))["cases"] if options.json.exists() else []
    records = {r["case"]: r for r in stored}
    fine = True
    for case in filter(None, options.cases.split(",")):
        name = case.partition("@")[0]
        if name not in networks:
            parser.error(f"'{name}' is no network: {', '.join(networks)}")
        records[case] = figures(case, networks[name], options.count)
        fine &= good(records[case])
        print("   ".join(line(records[case])), flush=True)
    order = {case: i for i, case in enumerate(GOALS)}
    cases = sorted(records.values(), key=lambda r: order.get(r["case"], len(order)))
    options.json.write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")
    if options.page:
        fill(_PAGE, "figures", table(cases))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
