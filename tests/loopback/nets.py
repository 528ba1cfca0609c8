"""Small nets and engines for the loopback tests, and the comparison with the dataflow emulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from flowc.dataflow.emulator import emulate, unfolded
from flowc.loopback.engine import Engine
from flowc.loopback.program import Program, compile_program
from flowc.loopback.ranges import fit_all
from flowc.loopback.run import run_program
from flowc.loopback.search import Memory
from flowc.streamline.compile import compile_model
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream
from tests.netbuild import Net, cnn, mlp

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {}

FOUR = Engine(rows=16, columns=16, dsp_lanes=2, lut_lanes=1, digit=4, table_words=1 << 13, search_depth=8)
TINY = Engine(
    rows=16,
    columns=16,
    dsp_lanes=2,
    digit=4,
    table_words=1 << 13,
    search_depth=8,
    act_words=512,
    weight_words=160,
    parameter_words=8,
)
EIGHT = Engine(rows=16, columns=8, dsp_lanes=3, digit=8, table_words=1 << 13, search_depth=8, weight_words=256)
WIDE = Engine(rows=32, columns=16, dsp_lanes=4, digit=4, table_words=1 << 13, search_depth=8)
ENGINES = {"four": FOUR, "tiny": TINY, "eight": EIGHT, "wide": WIDE}


def model(function: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
    MODELS[function.__name__] = function
    return function


@model
def perceptron() -> onnx.ModelProto:
    return mlp((40, 24, 6))


@model
def residual() -> onnx.ModelProto:
    return cnn(residual=True)


@model
def eight_bits() -> onnx.ModelProto:
    return cnn(bits=8)


@model
def signs() -> onnx.ModelProto:
    net = Net([1, 3, 6, 6])
    x = net.bipolar(net.bn(net.conv(net.quant(net.x, 0.1, bits=8), 3, 20, bits=1), 20, signs=True), 1.0)
    x = net.bipolar(net.bn(net.conv(x, 20, 8, bits=1, pads=[1] * 4), 8), 1.0)
    return net.model(net.linear(net.flatten(net.maxpool(x)), 32, 5, bits=1))


@model
def depthwise() -> onnx.ModelProto:
    net = Net([1, 18, 9, 9])
    x = net.quant(net.x, 0.3)
    x = net.quant(net.relu(net.conv(x, 18, 36, group=18, pads=[1] * 4, strides=[2, 1])), 0.41, signed=False)
    x = net.quant(net.conv(x, 36, 40, group=2, dilations=[2, 1], pads=[2, 1, 2, 1]), 0.73)
    return net.model(net.conv(net.quant(net.avgpool(x, 3, 2), 0.37), 40, 3, 1))


@model
def pieces() -> onnx.ModelProto:
    """Concatenation of parts that fill no blocks, a split, upsampling, a transposed convolution."""
    net = Net([1, 5, 5, 6])
    x = net.quant(net.x, 0.3)
    a = net.quant(net.conv(x, 5, 21, pads=[1] * 4), 0.517)
    b = net.quant(net.conv(x, 5, 7, 1), 0.517)
    y = net.quant(net.relu(net.conv(net.concat(a, b), 28, 20, pads=[1] * 4)), 0.61, signed=False)
    up = net.op("Resize", y, "", net.const(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    wide = net.quant(net.conv_transpose(y, 20, 9, 4, strides=[2, 2], pads=[1] * 4), 0.83)
    z = net.concat(net.quant(net.conv(up, 20, 9, 1), 0.83), wide)
    return net.model(net.conv(z, 18, 4))


@model
def functions() -> onnx.ModelProto:
    """Sigmoid and leaky activations, a gate, a join with factors per channel."""
    net = Net([1, 6, 5, 5])
    x = net.quant(net.x, 0.3)
    leaky = net.quant(net.op("LeakyRelu", net.conv(x, 6, 10, pads=[1] * 4), alpha=0.1), 0.29)
    gate = net.quant(net.op("Sigmoid", net.conv(x, 6, 10, 1)), 1 / 15, signed=False)
    y = net.quant(net.op("Mul", leaky, gate), 0.117)
    z = net.quant(net.add(net.bn(y, 10), net.bn(leaky, 10, signs=True)), 0.31)
    return net.model(net.linear(net.flatten(net.quant(net.op("Tanh", z), 0.11)), 250, 3))


def frames_of(graph: Dataflow, count: int, seed: int = 0) -> dict[str, Array]:
    """Random integers for every input port, the extremes among them."""
    rng = np.random.default_rng(seed)
    frames = {}
    for unit in graph.inputs:
        kind = unit.frame.dtype
        values = np.array([-1, 1]) if kind.bipolar else np.arange(kind.lo, kind.hi + 1)
        frames[unit.name] = rng.choice(values, (count, *unit.frame.shape))
        frames[unit.name][0], frames[unit.name][-1] = kind.lo, kind.hi
    return frames


def program_of(graph: Dataflow, engine: Engine, *, batch: int = 4, stripes: bool = False) -> Program:
    return compile_program(graph, engine, fit_all(graph), batch=batch, memory=Memory(16.0), stripes=stripes)


def unfolded_graph(proto: onnx.ModelProto) -> Dataflow:
    return unfolded(compile_model(proto).graph)


def differences(graph: Dataflow, program: Program, count: int = 5) -> tuple[int, dict[str, int]]:
    """Integers compared, and per stream those that differ: in memory end to end, and layer by layer."""
    frames = frames_of(graph, count)
    expected: dict[Stream, Array] = {}

    def keep(into: dict[Stream, list[Array]]) -> Callable[[Stream, Array], Array]:
        def probe(stream: Stream, values: Array) -> Array:
            into.setdefault(stream, []).append(np.array(values))
            return values

        return probe

    right: dict[Stream, list[Array]] = {}
    got: dict[Stream, list[Array]] = {}
    outputs = emulate(graph, frames, probe=keep(right))
    for name, values in run_program(program, frames).items():  # by kernels, where they can be had
        np.testing.assert_array_equal(values, outputs[name])
    for name, values in run_program(program, frames, probe=keep(got), emulator="numpy").items():
        np.testing.assert_array_equal(values, outputs[name])
    expected = {s: np.concatenate(a) for s, a in right.items()}
    assert expected.keys() == got.keys()
    wrong = {
        f"{s.src} -> {s.dst}": int((np.concatenate(got[s]).reshape(-1) != a.reshape(-1)).sum())
        for s, a in expected.items()
    }
    return sum(a.size for a in expected.values()), {k: n for k, n in wrong.items() if n}
