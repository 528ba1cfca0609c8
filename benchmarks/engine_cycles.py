"""Cycles of loopback's engine, counted by its compiled C++, beside the closed forms of docs/arrays.md.

    python -m benchmarks.engine_cycles [--page]

A small network of 4-bit layers runs, a batch of one image per lane, on an engine of 16 x 16 x 4 multipliers. Beside the counted cycles of
each layer stand the form of the page for the engine, and `flowc explore-array`'s counts for arrays of as many cells. --page writes the
table into docs/arrays.md. Exit code 1 where the array works in other cycles than the form says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from math import ceil
from pathlib import Path

from benchmarks.large_networks import LargeNet
from benchmarks.loopback import random_memory
from benchmarks.tables import fill, markdown
from flowc.arrays import Layer, Network, Setup, explore_array
from flowc.backends.hls.loopback import compile_engine, run_engine, write_engine
from flowc.dataflow.emulator import unfolded
from flowc.loopback.cost import costs_of
from flowc.loopback.engine import Engine
from flowc.loopback.program import compile_program
from flowc.loopback.ranges import fit_all
from flowc.loopback.search import Memory
from flowc.model.dtypes import SInt, UInt
from flowc.units.graph import Dataflow

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "arrays.md"
ENGINE = Engine(rows=16, columns=16, dsp_lanes=4, results=16, weight_words=2560, acc_bits=32)
_HEIGHT, _WIDTH = 64, 16
LAYERS = (
    Layer("3 x 3, 32 to 64 channels, 16 x 16", 16, 16, 32, 64, 3, 3, input_rows=16, input_columns=16),
    Layer("1 x 1, 64 to 128, 16 x 16", 16, 16, 64, 128),
    Layer("3 x 3 of stride 2, 128 to 128, 8 x 8", 8, 8, 128, 128, 3, 3, 2, 2, input_rows=16, input_columns=16),
    Layer("3 x 3 depthwise, 128, 8 x 8", 8, 8, 1, 1, 3, 3, groups=128, input_rows=8, input_columns=8),
    Layer("dense, 128 to 1000", 1, 1, 128, 1000),
)


def network() -> Dataflow:
    """`LAYERS`, in this order; the last one behind the sum over all positions."""
    net = LargeNet(16, 16, 32, UInt(4))
    weight, act = SInt(4), UInt(4)
    net.conv(64, weight, act, pad=1)
    net.conv(128, weight, act, k=1)
    net.conv(128, weight, act, stride=2, pad=1)
    net.depthwise(weight, act)
    net.average(act)
    net.matrix(1000, weight, None)
    return unfolded(net.done())


def closed(layer: Layer, engine: Engine = ENGINE) -> int:
    """Cycles of a batch of one image per lane: RS ceil(channels / C) ceil(M / R) T, or what the activation unit takes.

    A depthwise layer is a product of C channels with a block-diagonal matrix.
    """
    blocks = ceil(layer.filters * layer.groups / engine.rows)
    steps = layer.kernel_rows * layer.kernel_columns * ceil(layer.channels / engine.columns)
    return layer.positions * blocks * max(steps, ceil(engine.rows * engine.lanes / engine.results))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    graph = network()
    program = compile_program(graph, ENGINE, fit_all(graph), batch=ENGINE.lanes, memory=Memory(16.0))
    with tempfile.TemporaryDirectory(prefix="flowc-engine-") as folder:
        write_engine(ENGINE, Path(folder), part="xczu3eg-sbva484-1-e", header="a benchmark")
        run = run_engine(compile_engine(Path(folder)), program, random_memory(program))
    costs = costs_of(program.segments, program.blocks, ENGINE, None)
    products = [i for i, s in enumerate(program.segments) if s.layer.products is not None]
    sweep = explore_array(
        [Network("net", LAYERS)], heights=[_HEIGHT], widths=[_WIDTH], dataflows=["os", "ws"], setup=Setup(batch=ENGINE.lanes)
    )  # fmt: skip
    arrays = {name: sweep.layers("net", name, _HEIGHT, _WIDTH) for name in ("os", "ws")}
    rows, same = [], True
    for i, layer, outputs, weights in zip(products, LAYERS, arrays["os"], arrays["ws"], strict=True):
        same &= costs[i].compute_cycles == closed(layer)
        rows.append(
            [layer.name, *(f"{n:,}" for n in (closed(layer), run.cycles[i] + run.tails[i], outputs.cycles, weights.cycles))]
        )  # fmt: skip
    text = markdown(("layer", "closed form>", "engine, counted>", "os, 64 x 16>", "ws, 64 x 16>"), rows)
    print(text)
    if options.page:
        fill(_PAGE, "engine", text)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
