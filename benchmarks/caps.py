"""Whether any plan of any model exceeds what Vitis HLS takes: word widths, parts of arrays, products and comparisons per loop.

Run from the repository: ``python -m benchmarks.caps MODEL.onnx|FOLDER... [--targets NAMES] [--shares 1,0.3,0.03]
[--record FILE.json]``. Every model is planned for every board (all of AMD by default) at its highest rate and at shares of it;
nothing is written or compiled. Boards that offer the same resources at the same clock are planned once. Prints per model the plans,
those that exceed a cap, and the greatest share of a cap that any reaches. Ends with exit code 1 if a cap is exceeded. With
``--record``, models that the file holds already are left out, and the others are added to it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowc.backends.hls.caps import capped
from flowc.backends.hls.split import split_large
from flowc.dataflow.allocate import allocate
from flowc.errors import FlowcError
from flowc.streamline.compile import compile_model
from flowc.targets import Target, known_targets, load_target
from flowc.units.graph import Dataflow

_WITHOUT_HLS = ("ecp5", "ice40")


def distinct(names: Sequence[str]) -> Iterator[tuple[str, Target]]:
    """Boards whose plans may differ, each with the names of all that are like it."""
    alike: dict[tuple[object, ...], list[Target]] = {}
    for target in map(load_target, names):
        figures = (target.family, target.lutram, target.clock_mhz, target.ddr_gbps, *target.available.values())
        alike.setdefault(figures, []).append(target)
    for group in alike.values():
        yield ", ".join(t.name for t in group), group[0]


def plans(
    graph: Dataflow, targets: Sequence[str], shares: Sequence[float]
) -> Iterator[tuple[str, str, Dataflow | None]]:
    """Folded graphs: on each board as fast as it can be, and at shares of that; None where nothing fits."""
    for names, target in distinct(targets):
        try:
            fastest = allocate(graph, target)
        except FlowcError:  # the board is too small, or the network for it
            yield names, "", None
            continue
        for share in shares:
            plan = fastest if share == 1 else allocate(graph, target, fps=share * fastest.fps)
            yield names, f"{plan.fps:,.0f} fps", plan.graph


def measured(path: Path, targets: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    """What the record holds of one model."""
    try:
        graph = compile_model(path).graph
    except FlowcError as error:
        return {"refused": str(error)}
    found: dict[str, Any] = {"plans": 0, "exceeded": [], "without_a_plan": [], "nearest": None}
    share = 0.0
    for names, rate, plan in plans(graph, targets, shares):
        if plan is None:
            found["without_a_plan"] += names.split(", ")
            continue
        found["plans"] += len(names.split(", "))
        for figure in capped(split_large(plan)):
            if figure.value > figure.cap:
                found["exceeded"].append(f"{names} at {rate}: {figure}")
            if figure.value / figure.cap > share:
                share, found["nearest"] = figure.value / figure.cap, f"{names} at {rate}: {figure}"
    return found


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    boards = [t.name for t in known_targets() if t.family not in _WITHOUT_HLS]
    parser.add_argument("--targets", type=lambda text: text.split(","), default=boards)
    parser.add_argument("--shares", type=lambda text: [float(s) for s in text.split(",")], default=[1, 0.3, 0.03])
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    record: dict[str, Any] = {}
    if options.record is not None and options.record.is_file():
        record = json.loads(options.record.read_text(encoding="utf-8"))
    for path in (p for given in options.models for p in (sorted(given.glob("*.onnx")) if given.is_dir() else [given])):
        if path.name in record:
            continue
        record[path.name] = found = measured(path, options.targets, options.shares)
        for line in found.get("exceeded", []):
            print(f"{path.name} on {line}")
        said = found.get("refused") or f"{found['plans']} plans; nearest to its cap: {found['nearest']}"
        print(f"{path.name}: {said}", flush=True)
        if options.record is not None:
            options.record.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n", encoding="utf-8")
    return 1 if any(found.get("exceeded") for found in record.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
