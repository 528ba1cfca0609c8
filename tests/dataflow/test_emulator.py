"""The emulator against a plain walk over the units, folded and not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from flowc.dataflow.allocate import allocate
from flowc.dataflow.emulator import emulate, unfolded
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units import InputPort, OutputPort, WidthConverter, Window
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream
from tests.netbuild import Net, cnn, mlp
from tests.units.test_graph import diamond


def walk(graph: Dataflow, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every unit once, as it is folded, frame by frame."""
    results = {}
    for unit in graph.outputs:
        results[unit.name] = np.concatenate([_one(graph, {n: a[i : i + 1] for n, a in inputs.items()})[unit.name]
                                             for i in range(len(next(iter(inputs.values()))))])  # fmt: skip
    return results


def _one(graph: Dataflow, inputs: Mapping[str, Array]) -> dict[str, Array]:
    flowing: dict[Stream, Array] = {}
    outputs = {}
    for unit in graph:
        if isinstance(unit, InputPort):
            found: tuple[Array, ...] = (inputs[unit.name].astype(np.int64),)
        else:
            given = [flowing[s].reshape(-1, *f.shape) for s, f in zip(graph.into(unit.name), unit.inputs, strict=True)]
            found = unit.emulate(*given)
        if isinstance(unit, OutputPort):
            outputs[unit.name] = found[0].astype(np.int64)
        for stream in graph.out_of(unit.name):
            flowing[stream] = found[stream.src_port]
    return outputs


def random_frames(graph: Dataflow, count: int, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    frames = {}
    for unit in graph.inputs:
        kind = unit.frame.dtype
        values = np.array([-1, 1]) if kind.bipolar else np.arange(kind.lo, kind.hi + 1)
        frames[unit.name] = rng.choice(values, (count, *unit.frame.shape))
    return frames


def depthwise() -> Dataflow:
    net = Net([1, 4, 8, 8])
    y = net.quant(net.conv(net.quant(net.x, 0.3), 4, 8, group=4, pads=[1] * 4), 0.317)
    y = net.avgpool(net.maxpool(y, 3, 1), 2)
    y = net.quant(net.conv(net.quant(y, 0.2), 8, 4, 2, group=2), 0.317)
    return compile_model(net.model(net.linear(net.flatten(y), 16, 3))).graph


GRAPHS = {
    "mlp": lambda: compile_model(mlp()).graph,
    "residual": lambda: compile_model(cnn(residual=True)).graph,
    "depthwise and pools": depthwise,
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("fps", [None, 100_000.0])
def test_folded_graphs_compute_the_same(name: str, fps: float | None) -> None:
    """Block orders, lanes and width converters leave every integer as it is."""
    plain = GRAPHS[name]()
    folded = allocate(plain, load_target("ultra96"), fps=fps).graph
    frames = random_frames(plain, 3)
    wanted = walk(plain, frames)
    for graph in (plain, folded):
        for found in (emulate(graph, frames), walk(graph, frames)):
            for port, values in wanted.items():
                np.testing.assert_array_equal(found[port], values)
    assert fps is not None or max(max(u.in_widths) for u in folded) > 1
    assert not any(isinstance(u, WidthConverter) for u in unfolded(folded))


def test_batches_are_cut_and_put_together() -> None:
    graph = GRAPHS["residual"]()
    frames = random_frames(graph, 7)
    wanted = walk(graph, frames)
    for threads in (1, 2, 5):
        found = emulate(graph, frames, threads=threads)
        for port, values in wanted.items():
            np.testing.assert_array_equal(found[port], values)
            assert found[port].dtype == np.int64


def test_probes_see_every_stream_and_may_exchange_what_flows() -> None:
    graph = diamond()
    x = np.arange(16).reshape(2, 1, 2, 4)
    seen: dict[tuple[str, str], Array] = {}

    def probe(stream: Stream, frames: Array) -> Array:
        seen[stream.src, stream.dst] = frames
        return frames + 1 if stream.dst == "turn" else frames

    found = emulate(graph, {"in": x}, probe=probe)["out"]
    assert set(seen) == {("in", "fork"), ("fork", "turn"), ("fork", "join"), ("turn", "join"), ("join", "out")}
    turned = x[..., ::-1]
    np.testing.assert_array_equal(found, x - (turned + 1))
    np.testing.assert_array_equal(emulate(graph, {"in": x})["out"], x - turned)


def test_flattened_images_are_the_same_stream() -> None:
    net = Net([1, 3, 4, 4])
    y = net.quant(net.conv(net.quant(net.x, 0.3), 3, 4, 1), 0.317)
    graph = compile_model(net.model(net.linear(net.flatten(y), 64, 3))).graph
    frames = [f.shape for u in graph for f in (*u.inputs, *u.outputs)]
    assert (4, 4, 4) in frames
    assert (1, 1, 64) in frames
    found = emulate(graph, random_frames(graph, 2))
    assert next(iter(found.values())).shape == (2, 1, 1, 3)
    assert not any(isinstance(u, Window) for u in graph)
