"""Whether any plan of any model exceeds what Vitis HLS takes: word widths, parts of arrays, products and comparisons per loop.

Run from the repository: ``python -m benchmarks.caps MODEL.onnx|FOLDER... [--targets NAMES] [--shares 1,0.3,0.03]``. Every model is planned
for every board (all by default) at its highest rate and at shares of it; nothing is written or compiled. Prints per model the plans, those
that exceed a cap, and the greatest share of a cap that any reaches. Ends with exit code 1 if a cap is exceeded.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from flowc.backends.hls.caps import Figure, capped
from flowc.backends.hls.split import split_large
from flowc.dataflow.allocate import allocate
from flowc.errors import FlowcError
from flowc.streamline.compile import compile_model
from flowc.targets import known_targets, load_target
from flowc.units.graph import Dataflow


def plans(graph: Dataflow, targets: list[str], shares: list[float]) -> Iterator[tuple[str, Dataflow]]:
    """Folded graphs: on each board as fast as it can be, and at shares of that."""
    for name in targets:
        target = load_target(name)
        try:
            fastest = allocate(graph, target)
        except FlowcError:  # the board is too small, or the network for it
            continue
        yield f"{name} at {fastest.fps:,.0f} fps", fastest.graph
        for share in shares:
            if share < 1:
                fps = share * fastest.fps
                yield f"{name} at {fps:,.0f} fps", allocate(graph, target, fps=fps).graph


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--targets", type=lambda text: text.split(","), default=[t.name for t in known_targets()])
    parser.add_argument("--shares", type=lambda text: [float(s) for s in text.split(",")], default=[1, 0.3, 0.03])
    options = parser.parse_args()
    found = 0
    for path in (p for given in options.models for p in (sorted(given.glob("*.onnx")) if given.is_dir() else [given])):
        try:
            graph = compile_model(path).graph
        except FlowcError as error:
            print(f"{path.name}: refused: {error}")
            continue
        count, greatest = 0, None
        for name, plan in plans(graph, options.targets, options.shares):
            count += 1
            figures: list[Figure] = list(capped(split_large(plan)))
            for figure in figures:
                if figure.value > figure.cap:
                    found += 1
                    print(f"{path.name} on {name}: {figure}")
                if greatest is None or figure.value / figure.cap > greatest.value / greatest.cap:
                    greatest = figure
        print(f"{path.name}: {count} plans; nearest to its cap: {greatest}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
